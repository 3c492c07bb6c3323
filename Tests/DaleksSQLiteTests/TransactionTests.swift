import DaleksCore
import DaleksSQLite
import DaleksSystem
import Testing

@Suite struct TransactionTests {
    struct Refused: Error {}

    @Test(arguments: [true, false])
    func `what a closure throws rolls back all it did`(isInMemory: Bool) throws {
        let scratch = Scratch()
        let database = try Fixture.open(isInMemory ? ":memory:" : scratch["a.db"])
        try database.put(1, [1])

        #expect(throws: Refused.self) {
            try database.write { db in
                try db.execute("UPDATE items SET value = x'ff'")
                try db.execute("INSERT INTO items VALUES (2, x'02')")
                throw Refused()
            }
        }

        #expect(try database.get(1) == [1])
        #expect(try database.count() == 1)
        try database.put(3, [3], .full)
        #expect(try database.count() == 2)
    }

    @Test func `a part can fail alone`() throws {
        let database = try Fixture.open(":memory:")

        try database.write { db in
            try db.execute("INSERT INTO items VALUES (1, x'01')")
            let outcome = code {
                try db.savepoint { db in
                    try db.execute("INSERT INTO items VALUES (2, x'02')")
                    try db.savepoint { db in _ = try db.execute("INSERT INTO items VALUES (3, x'03')") }
                    try db.execute("INSERT INTO items VALUES (1, x'01')")
                }
            }
            #expect(outcome == .constraint(.primaryKey))
            try db.savepoint { db in _ = try db.execute("INSERT INTO items VALUES (4, x'04')") }
        }

        let keys = try database.read { db in try db.query("SELECT key FROM items ORDER BY key") { try $0.int(0) } }
        #expect(keys == [1, 4])
    }

    @Test func `a read is a snapshot and never waits for the writer`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        try database.put(1, [1])

        try database.read { db in
            let before = try db.first("SELECT count(*) FROM items") { try $0.int(0) }
            try database.put(2, [2])
            let after = try db.first("SELECT count(*) FROM items") { try $0.int(0) }
            #expect(before == 1 && after == 1)
        }
        try database.write { db in
            try db.execute("INSERT INTO items VALUES (3, x'03')")
            #expect(try database.count() == 2)
        }
        #expect(try database.count() == 3)
    }

    @Test(arguments: [true, false])
    func `a read that writes is refused`(isInMemory: Bool) throws {
        let scratch = Scratch()
        let database = try Fixture.open(isInMemory ? ":memory:" : scratch["a.db"])
        let outcome = code { try database.read { db in _ = try db.execute("DELETE FROM items") } }
        #expect(outcome == .readOnly)
    }

    @Test(arguments: ["COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT a", "ATTACH ':memory:' AS other", "VACUUM"])
    func `a closure cannot end its transaction or reach another file`(text: String) throws {
        let database = try Fixture.open(":memory:")
        try database.write { db in
            try db.execute("INSERT INTO items VALUES (1, x'01')")
            #expect(throws: SQLiteError.self) { try db.execute(SQL(text)) }
        }
        #expect(try database.count() == 1)
    }

    @Test func `an interruption that the closure swallows does not let the rest commit`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        let endless: SQL = """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
            INSERT INTO items SELECT i, x'00' FROM n
            """
        let started = Gate()
        let interrupter = Thread(name: "interrupter") {
            started.wait()
            // The statement may not have begun yet: an interruption that finds nothing to interrupt is forgotten.
            for _ in 0..<100 { database.interrupt(); TestClock.pause(.milliseconds(5)) }
        }

        let outcome = code {
            try database.write { db in
                try db.execute("INSERT INTO items VALUES (-1, x'01')")
                started.open()
                let inner = code { _ = try db.execute(endless) }
                #expect(inner == .interrupted)
                let next = code { _ = try db.execute("INSERT INTO items VALUES (-2, x'01')") }
                #expect(next == .interrupted)
                let part = code { try db.savepoint { db in _ = try db.execute("DELETE FROM items") } }
                #expect(part == .interrupted)
            }
        }

        interrupter.join()
        #expect(outcome == .interrupted)
        #expect(try database.count() == 0)
        try database.put(1, [1])
        #expect(try database.count() == 1)
    }

    @Test func `after closing, everything says so, and closing again is nothing`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        try database.put(1, [1])

        database.close()
        database.close()

        #expect(code { try database.put(2, [2]) } == .closed)
        #expect(code { _ = try database.count() } == .closed)
        #expect(code { try database.checkpoint() } == .closed)
        database.interrupt()
        #expect(scratch.names == ["a.db"])
        #expect(try Fixture.open(scratch["a.db"]).count() == 1)
    }

    @Test func `two handles write in turns, and one that waits too long is told busy`() throws {
        let scratch = Scratch()
        let first = try Fixture.open(scratch["a.db"])
        let second = try Fixture.open(scratch["a.db"], busyTimeout: .milliseconds(50))
        try first.write { db in
            try db.execute("INSERT INTO items VALUES (1, x'01')")
            #expect(code { try second.put(2, [2]) } == .busy)
        }
        try second.put(2, [2])

        let patient = try Fixture.open(scratch["a.db"])
        onThreads(4) { index in
            let database = index.isMultiple(of: 2) ? first : patient
            for round in 0..<50 { #expect(throws: Never.self) { try database.put(100 + index * 50 + round, [0]) } }
        }
        #expect(try second.count() == 202)
    }

    @Test func `a thread that waits for the writer too long is told busy`() throws {
        let database = try Fixture.open(":memory:", busyTimeout: .milliseconds(30))
        try database.write { _ in
            onThreads(1) { _ in #expect(code { try database.put(1, [1]) } == .busy) }
        }
    }

    @Test func `a reader that none is left for is told busy`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"], busyTimeout: .milliseconds(30), readerCount: 1)
        try database.read { _ in
            #expect(code { _ = try database.count() } == .busy)
        }
        #expect(try database.count() == 0)
    }

    @Test func `a thread that writes without pause does not keep another waiting`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        let isDone = Gate()
        let busy = Thread(name: "busy") {
            var key = 0
            while !isDone.isOpen {
                key += 1
                #expect(throws: Never.self) { try database.put(key, [0]) }
            }
        }
        let start = TimeSource.system.now
        for key in 1...100 { try database.put(-key, [0]) }
        let elapsed = TimeSource.system.now - start
        isDone.open()
        busy.join()
        #expect(elapsed < .seconds(5), "100 commits beside a busy writer took \(elapsed)")
    }
}
