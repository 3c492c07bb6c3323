import DaleksSQLite
import DaleksSystem
import Testing

@Suite struct WatchTests {
    private struct Undone: Error {}

    @Test func `a commit tells the rows of the watched table that it changed`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["watched.db"])
        defer { database.close() }
        try database.write { db in
            try db.execute("CREATE TABLE watched (a INTEGER PRIMARY KEY, b TEXT)")
            try db.execute("CREATE TABLE other (a INTEGER PRIMARY KEY)")
        }
        let told = Lock<[[Int64]]>([])
        try database.watch(table: "watched") { rows in told.withLock { $0.append(rows) } }

        try database.write { db in
            try db.execute("INSERT INTO watched (a, b) VALUES (7, 'x'), (9, 'y')")
            try db.execute("INSERT INTO other (a) VALUES (1)")
            #expect(told.withLock { $0.isEmpty })
        }
        try database.write { db in
            try db.execute("UPDATE watched SET b = 'z' WHERE a = 9")
            try db.execute("DELETE FROM watched WHERE a = 7")
        }
        try database.write { db in _ = try db.execute("INSERT INTO other (a) VALUES (2)") }

        #expect(told.withLock { $0 } == [[7, 9], [9, 7]])
    }

    @Test func `what was rolled back is not told, not with a later commit either`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["watched.db"])
        defer { database.close() }
        try database.write { db in _ = try db.execute("CREATE TABLE watched (a INTEGER PRIMARY KEY)") }
        let told = Lock<[Int64]>([])
        try database.watch(table: "watched") { rows in told.withLock { $0 += rows } }

        #expect(throws: Undone.self) {
            try database.write { db in
                try db.execute("INSERT INTO watched (a) VALUES (1)")
                throw Undone()
            }
        }
        try database.write { db in _ = try db.execute("INSERT INTO watched (a) VALUES (2)") }

        #expect(told.withLock { $0 } == [2])
    }

    @Test func `a new file has the pages that were asked for, and keeps them`() throws {
        let scratch = Scratch()
        for bytes in [2_048, 8_192] {
            let configuration = DatabaseConfiguration(applicationID: 7, pageBytes: bytes)
            let database = try Database.open(
                path: scratch["small.db"],
                configuration: configuration,
                migrations: [Migration(1, "one", "CREATE TABLE t (a)")]
            )
            #expect(try database.read { db in try db.first("PRAGMA page_size") { try $0.int64(0) } } == 2_048)
            database.close()
        }
    }
}
