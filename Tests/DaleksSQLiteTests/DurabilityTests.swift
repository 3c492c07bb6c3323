import DaleksCore
import DaleksSQLite
import DaleksSystem
import Testing

@Suite(.serialized) struct DurabilityTests {
    @Test func `a full commit is durable when it returns and a normal one when somebody flushed`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        let (_, normal) = try database.writeReturningPosition { db in
            _ = try db.execute("INSERT INTO items VALUES (1, x'01')")
        }
        #expect(!database.isDurable(normal) && database.isDurable(.start))
        let (_, full) = try database.writeReturningPosition(.full) { db in
            _ = try db.execute("INSERT INTO items VALUES (2, x'02')")
        }
        #expect(database.isDurable(full) && database.isDurable(normal) && normal < full)

        let barriers = database.statistics.barrierCount
        try database.flush(upTo: full)
        try database.flush()
        #expect(database.statistics.barrierCount == barriers)
        try database.put(3, [3])
        #expect(!database.isDurable(database.position))
        try database.flush()
        #expect(database.isDurable(database.position) && database.statistics.barrierCount == barriers + 1)
    }

    @Test func `a write that changes nothing has the position of the last one`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        try database.put(1, [1])
        let before = database.position
        let (_, position) = try database.writeReturningPosition(.full) { db in
            _ = try db.execute("DELETE FROM items WHERE key = 99")
        }
        #expect(position == before && database.position == before && database.isDurable(before))
    }

    @Test func `in memory nothing waits for a disk`() throws {
        let database = try Fixture.open(":memory:")
        try database.put(1, [1], .full)
        try database.flush()
        try database.checkpoint()
        #expect(database.isDurable(database.position) && database.statistics.barrierCount == 0)
    }

    @Test func `sixteen durable writers share their barriers`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        let alone = try rate(of: 1, commits: 300, database)
        let barriersBefore = database.statistics.barrierCount
        let together = try rate(of: 16, commits: 200, database)
        let barriers = database.statistics.barrierCount - barriersBefore

        let summary =
            "alone \(alone.rounded())/s, sixteen threads \(together.rounded())/s, 3200 commits, \(barriers) barriers"
        print("durable commits: \(summary)")
        #expect(barriers < 2_800, "\(summary)")
        #expect(try database.count() == 3_500)
    }

    @Test func `one-row commits that wait for no disk`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        let commitCount = 20_000
        var durations: [Duration] = []
        let start = TimeSource.system.now
        var last = start
        for key in 0..<commitCount {
            // Spread over the table, so that a commit writes a page of its own.
            try database.put(key &* 7_919 % 100_003, [1, 2, 3])
            let now = TimeSource.system.now
            durations.append(now - last)
            last = now
        }
        let rate = Double(commitCount) / (last - start).inSeconds
        durations.sort()
        let slow = "p99.9 \(durations[commitCount * 999 / 1_000]), longest \(durations[commitCount - 1])"
        print("normal commits: \(rate.rounded())/s, \(slow), \(database.statistics.checkpointCount) checkpoints")
        #expect(database.statistics.barrierCount <= 1)
    }

    private func rate(of threads: Int, commits: Int, _ database: Database) throws -> Double {
        let start = TimeSource.system.now
        onThreads(threads) { index in
            for round in 0..<commits {
                let key = threads * 1_000_000 + index * 10_000 + round
                #expect(throws: Never.self) {
                    let (_, position) = try database.writeReturningPosition(.full) { db in
                        try db.execute("INSERT INTO items VALUES (?1, x'00')", [.integer(key)])
                    }
                    #expect(database.isDurable(position))
                }
            }
        }
        let elapsed = TimeSource.system.now - start
        return Double(threads * commits) / elapsed.inSeconds
    }

    @Test func `what was committed is there after a kill`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"], checkpointBytes: 200_000)
        for round in 0..<20 {
            for key in 0..<50 { try database.put(round * 50 + key, [UInt8](repeating: UInt8(round), count: 100)) }
            if round == 10 { try database.checkpoint() }
            // A checkpoint under way would give the copy two halves of different moments; a kill has only one.
            try database.write { _ in try scratch.copyDatabase("a.db", as: "killed-\(round).db") }
        }
        for round in [0, 9, 10, 11, 19] {
            let revived = try Fixture.open(scratch["killed-\(round).db"])
            #expect(try revived.count() == (round + 1) * 50)
            #expect(try revived.verify().isEmpty)
        }
    }

    @Test func `a log torn anywhere gives a prefix of the commits`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        for key in 1...60 { try database.put(key, [UInt8](repeating: 1, count: 300)) }
        try scratch.copyDatabase("a.db", as: "b.db")
        let main = try scratch.bytes("b.db")
        let log = try scratch.bytes("b.db-wal")
        var last = 60
        for cut in stride(from: log.count, to: log.count / 3, by: -(log.count / 12 + 1)) {
            try scratch.write("c.db", main)
            // Cut, and followed by what an older use of the blocks left there.
            try scratch.write("c.db-wal", Array(log[..<cut]) + [UInt8](repeating: 0xa5, count: 5_000))
            let torn = try Fixture.open(scratch["c.db"])
            let keys = try torn.read { db in try db.query("SELECT key FROM items ORDER BY key") { try $0.int(0) } }
            #expect(keys == Array(1...max(1, keys.count)).prefix(keys.count).map { $0 })
            #expect(keys.count <= last)
            last = keys.count
            torn.close()
        }
        #expect(last < 60)
    }

    @Test func `the log is bounded while writers never pause`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"], checkpointBytes: 1 << 20)
        let isDone = Gate()
        let reader = Thread(name: "reader") {
            while !isDone.isOpen { #expect(throws: Never.self) { _ = try database.count() } }
        }
        let value = [UInt8](repeating: 7, count: 1_000)
        var longest = 0
        for key in 0..<4_000 {
            try database.put(key % 500, value)
            if key.isMultiple(of: 500) { longest = max(longest, try scratch.bytes("a.db-wal").count) }
        }
        isDone.open()
        reader.join()
        #expect(database.statistics.checkpointCount > 0)
        // About 35 MB were logged.
        #expect(longest < 16 << 20, "\(longest) bytes")
        try database.checkpoint()
        #expect(try scratch.bytes("a.db-wal").isEmpty)
        #expect(database.isDurable(database.position))
        #expect(try database.verify(thorough: true).isEmpty)
    }

    @Test func `a log removed from under us is an error and not a promise`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        try database.put(1, [1], .full)
        scratch.remove("a.db-wal")
        #expect(code { try database.put(2, [2], .full) } == .ioError)
        #expect(code { try database.put(3, [3]) } == .ioError)
        #expect(code { try database.flush() } == .ioError)
        #expect(code { try database.checkpoint() } == .ioError)
        #expect(try database.count() == 2)
    }
}
