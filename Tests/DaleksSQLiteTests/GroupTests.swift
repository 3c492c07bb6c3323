import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// Transactions that share a commit, and what a process that dies in the middle leaves.
@Suite struct GroupTests {
    private struct Undone: Error {}

    /// A group that nothing ends but what the test does.
    private func open(_ path: String, every interval: Duration = .seconds(3_600)) throws -> Database {
        try Fixture.open(path, groupInterval: interval)
    }

    private func reopened(_ scratch: Scratch, _ name: String) throws -> [Int: [UInt8]] {
        let database = try open(scratch[name])
        defer { database.close() }
        #expect(try database.verify(thorough: true).isEmpty)
        return try contents(of: database)
    }

    private func contents(of database: Database) throws -> [Int: [UInt8]] {
        let rows = try database.read { db in
            try db.query("SELECT key, value FROM items") { row in (try row.int(0), try row.blob(1)) }
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    @Test func `what was answered survives the death of the process, in and behind an open group`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"])
        defer { database.close() }
        let before = try scratch.bytes("a.db-wal")
        for key in 0..<100 { try database.put(key, [UInt8](repeating: UInt8(key), count: key * 20)) }

        #expect(try scratch.bytes("a.db-wal") == before)
        try scratch.copyDatabase("a.db", as: "b.db")
        let after = try reopened(scratch, "b.db")

        #expect(after.count == 100)
        #expect(after.allSatisfy { $0.value == [UInt8](repeating: UInt8($0.key), count: $0.key * 20) })
        #expect(try database.get(7) == [UInt8](repeating: 7, count: 140))
    }

    @Test func `nothing is done twice, however often it is brought back`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"])
        defer { database.close() }
        try database.put(1, [0])
        for _ in 0..<10 {
            try database.write { db in
                _ = try db.execute("UPDATE items SET value = CAST(value || x'00' AS BLOB) WHERE key = 1")
            }
        }
        for copy in ["b.db", "c.db", "d.db"] {
            try scratch.copyDatabase(copy == "b.db" ? "a.db" : copy == "c.db" ? "b.db" : "c.db", as: copy)
            #expect(try reopened(scratch, copy)[1]?.count == 11)
        }
        try database.flush()
        try scratch.copyDatabase("a.db", as: "e.db")
        #expect(try reopened(scratch, "e.db")[1]?.count == 11)
    }

    @Test func `of a log that was cut anywhere the whole records before the cut count`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"])
        defer { database.close() }
        var ends: [Int] = []
        for key in 0..<8 {
            try database.put(key, [UInt8](repeating: 5, count: 10 + key))
            ends.append(try scratch.bytes("a.db-redo").count)
        }
        let log = try scratch.bytes("a.db-redo")
        for cut in stride(from: 0, through: log.count, by: 13) {
            try scratch.copyDatabase("a.db", as: "b.db")
            let junk = [UInt8](repeating: 0xa5, count: cut.isMultiple(of: 2) ? 0 : 200)
            try scratch.write("b.db-redo", Array(log[..<cut]) + junk)
            #expect(try reopened(scratch, "b.db").count == ends.filter { $0 <= cut }.count)
            for suffix in ["", "-wal", "-shm", "-redo"] { scratch.remove("b.db\(suffix)") }
        }
    }

    @Test func `a log of another moment of the database does nothing`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"])
        try database.put(1, [1])
        let stale = try scratch.bytes("a.db-redo")
        try database.flush()
        try database.put(1, [2])
        try database.flush()
        database.close()
        try scratch.copyDatabase("a.db", as: "b.db")
        try scratch.write("b.db-redo", stale)
        #expect(try reopened(scratch, "b.db") == [1: [2]])
        // An opening is another epoch: the first group of it is not that of the one before.
        try scratch.write("b.db-redo", stale)
        #expect(try reopened(scratch, "b.db") == [1: [2]])
    }

    @Test func `what a closure throws undoes that closure alone`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"])
        defer { database.close() }
        let told = Lock<[Int64]>([])
        try database.watch(table: "items") { rows in told.withLock { $0 += rows } }
        try database.put(1, [1])

        #expect(throws: Undone.self) {
            try database.write { db in
                try db.execute("INSERT INTO items (key, value) VALUES (2, x'02')")
                throw Undone()
            }
        }
        #expect(told.withLock { $0 } == [1])
        // The same statement again: its text went with what was undone.
        try database.write { db in
            try db.execute("INSERT INTO items (key, value) VALUES (?1, ?2)", [.integer(3), .blob([3])])
            do {
                try db.savepoint { db in
                    try db.execute("INSERT INTO items (key, value) VALUES (2, x'02')")
                    throw Undone()
                }
            } catch is Undone {}
            // Taken already: it changes nothing, and nothing of it is done again.
            let taken = [Value.integer(1), .blob([9])]
            _ = try? db.execute("INSERT INTO items (key, value) VALUES (?1, ?2)", taken)
        }
        try database.write { db in _ = try db.execute("INSERT INTO items (key, value) VALUES (2, x'02')") }

        #expect(try contents(of: database) == [1: [1], 2: [2], 3: [3]])
        try scratch.copyDatabase("a.db", as: "b.db")
        #expect(try reopened(scratch, "b.db") == [1: [1], 2: [2], 3: [3]])
    }

    @Test func `a barrier makes durable what the open group has`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"])
        defer { database.close() }
        try database.put(1, [1])
        let position = database.position
        #expect(!database.isDurable(position))

        try database.flush(upTo: position)

        #expect(database.isDurable(position))
        try scratch.copyDatabase("a.db", as: "b.db")
        scratch.remove("b.db-redo")
        #expect(try reopened(scratch, "b.db") == [1: [1]])
        try database.put(2, [2], .full)
        #expect(database.isDurable(database.position))
    }

    @Test func `a checkpoint, a backup and a long read have what was answered`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"])
        defer { database.close() }
        try database.put(1, [1])
        #expect(try database.readLong { db in try db.first("SELECT count(*) FROM items") { try $0.int(0) } } == 1)
        try database.put(2, [2])
        try database.backup(to: scratch["b.db"])
        #expect(try reopened(scratch, "b.db") == [1: [1], 2: [2]])
        try database.put(3, [3])
        try database.checkpoint()
        #expect(try contents(of: database).count == 3)
    }

    @Test func `a group ends by itself after its time`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"], every: .milliseconds(10))
        defer { database.close() }
        try database.put(1, [1])
        let isCommitted = eventually {
            try? scratch.copyDatabase("a.db", as: "b.db")
            scratch.remove("b.db-redo")
            return (try? reopened(scratch, "b.db")) == [1: [1]]
        }
        #expect(isCommitted)
    }

    @Test func `threads that write and read see what they were answered`() throws {
        let scratch = Scratch()
        let database = try open(scratch["a.db"], every: .milliseconds(1))
        defer { database.close() }
        onThreads(4) { thread in
            for number in 0..<300 {
                let key = thread * 1_000 + number
                #expect(throws: Never.self) { try database.put(key, [UInt8(number % 251)]) }
                #expect((try? database.get(key)) == [UInt8(number % 251)])
                if number.isMultiple(of: 50) { #expect(throws: Never.self) { try database.flush() } }
            }
        }
        #expect(try database.count() == 1_200)
        #expect(try database.verify(thorough: true).isEmpty)
    }

    @Test(.enabled(if: TinyDisk.isAvailable, "mounting a small file system needs root"))
    func `a full disk keeps what was answered, and it is committed once there is room`() throws {
        let disk = try #require(TinyDisk())
        let database = try open(disk.path + "/a.db", every: .milliseconds(5))
        var stored = 0
        while stored < 10_000, code({ try database.put(stored, [UInt8](repeating: 3, count: 900)) }) == nil {
            stored += 1
        }
        #expect(stored > 50 && stored < 10_000)
        #expect(try database.count() == stored)

        #expect(mount("tmpfs", disk.path, "tmpfs", UInt(MS_REMOUNT), "size=8388608") == 0)
        try database.put(stored, [1], .full)
        #expect(try database.count() == stored + 1)
        database.close()
        let after = try open(disk.path + "/a.db")
        defer { after.close() }
        #expect(try after.count() == stored + 1)
        #expect(try after.verify(thorough: true).isEmpty)
    }

    @Test func `random work is what it is without groups, also after deaths`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let scratch = Scratch()
        var name = 0
        var database = try open(scratch["0.db"], every: .milliseconds(2))
        var model: [Int: [UInt8]] = [:]
        for step in 0..<1_500 {
            let key = Int.random(in: 0..<40, using: &random)
            let value = [UInt8](repeating: UInt8(step % 251), count: Int.random(in: 0..<700, using: &random))
            switch Int.random(in: 0..<40, using: &random) {
            case 0: try database.flush()
            case 1: try database.checkpoint()
            case 2:
                name += 1
                try scratch.copyDatabase("\(name - 1).db", as: "\(name).db")
                database.close()
                database = try open(scratch["\(name).db"], every: .milliseconds(2))
            case 3...8:
                try database.write { db in _ = try db.execute("DELETE FROM items WHERE key = ?1", [.integer(key)]) }
                model[key] = nil
            case 9...12:
                _ = try? database.write { db in
                    try db.execute("DELETE FROM items WHERE key = ?1", [.integer(key)])
                    throw Undone()
                }
            default:
                try database.put(key, value)
                model[key] = value
            }
            guard try contents(of: database) == model else {
                Issue.record("step \(step) of seed \(seed)")
                break
            }
        }
        database.close()
    }
}
