import DaleksSQLite
import DaleksSystem
import Testing

@Suite struct ModelTests {
    struct Refused: Error {}

    /// Ten thousand random operations against a dictionary, over checkpoints and reopenings.
    @Test func `a database under random operations is a dictionary`() throws {
        let seed = Random.word()
        print("model seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let scratch = Scratch()
        var database = try Fixture.open(scratch["a.db"], checkpointBytes: 1 << 20)
        var model: [Int: [UInt8]] = [:]

        for operation in 0..<10_000 {
            let key = Int.random(in: 0..<300, using: &generator)
            switch Int.random(in: 0..<1_000, using: &generator) {
            case 0..<450:
                let count = Int.random(in: 0..<(operation.isMultiple(of: 50) ? 9_000 : 100), using: &generator)
                let value = [UInt8](repeating: UInt8(truncatingIfNeeded: operation), count: count)
                try database.put(key, value, operation.isMultiple(of: 100) ? .full : .normal)
                model[key] = value
            case 450..<600:
                let removed = try database.write { db in
                    try db.execute("DELETE FROM items WHERE key = ?1", [.integer(key)])
                }
                #expect(removed == (model.removeValue(forKey: key) == nil ? 0 : 1))
            case 600..<700:
                #expect(throws: Refused.self) {
                    try database.write { db in
                        try db.execute("DELETE FROM items WHERE key < ?1", [.integer(key)])
                        throw Refused()
                    }
                }
            case 700..<990:
                #expect(try database.get(key) == model[key], "seed \(seed), operation \(operation)")
            case 990..<997:
                #expect(try database.count() == model.count, "seed \(seed), operation \(operation)")
            case 997:
                try database.checkpoint()
            default:
                if Bool.random(using: &generator) { database.close() }
                database = try Fixture.open(scratch["a.db"], checkpointBytes: 1 << 20)
            }
        }

        let rows = try database.read { db in
            try db.query("SELECT key, value FROM items") { (try $0.int(0), try $0.blob(1)) }
        }
        #expect(Dictionary(uniqueKeysWithValues: rows) == model, "seed \(seed)")
        #expect(try database.verify(thorough: true).isEmpty)
    }

    /// Transfers keep a sum; readers never see it broken.
    @Test func `many threads move amounts and every snapshot adds up`() throws {
        let scratch = Scratch()
        let accounts = Migration(
            1,
            "accounts",
            "CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL) STRICT"
        )
        let database = try Fixture.open(scratch["a.db"], migrations: [accounts], checkpointBytes: 1 << 20)
        try database.write { db in
            for id in 0..<20 { try db.execute("INSERT INTO accounts VALUES (?1, 100)", [.integer(id)]) }
        }
        let seed = Random.word()
        onThreads(6) { index in
            var generator = SeededGenerator(seed: seed &+ UInt64(index))
            for _ in 0..<200 {
                let from = Int.random(in: 0..<20, using: &generator)
                let to = Int.random(in: 0..<20, using: &generator)
                #expect(throws: Never.self) {
                    if index < 3 {
                        try database.write(index == 0 ? .full : .normal) { db in
                            try db.execute("UPDATE accounts SET amount = amount - 1 WHERE id = ?1", [.integer(from)])
                            try db.execute("UPDATE accounts SET amount = amount + 1 WHERE id = ?1", [.integer(to)])
                        }
                    } else {
                        let sum = try database.read { db in
                            try db.first("SELECT sum(amount) FROM accounts") { try $0.int(0) }
                        }
                        #expect(sum == 2_000)
                    }
                }
            }
        }
    }
}
