import DaleksCore
import DaleksSQLite
import DaleksSystem
import Testing

@Suite struct StatementTests {
    private static let migrations = [
        Migration(
            1,
            "everything",
            """
            CREATE TABLE parents (id BLOB PRIMARY KEY) STRICT;
            CREATE TABLE facts (
                id BLOB PRIMARY KEY, parent BLOB REFERENCES parents (id), name BLOB, digest BLOB, time INTEGER,
                number INTEGER, real REAL, text TEXT NOT NULL, flag INTEGER CHECK (flag IN (0, 1)), UNIQUE (name)
            ) STRICT;
            """
        )
    ]

    @Test func `every kind of value comes back as it went in`() throws {
        let database = try Fixture.open(":memory:", migrations: Self.migrations)
        let id = NodeID.random(at: TimeSource.system.wall)
        let name = try Name([0xff, 0x00 + 1, 0x41])
        let digest = try #require(Digest(bytes: (0..<32).map { UInt8($0) }))
        let time = Timestamp(nanoseconds: -12_345_678_901)
        let text = "Grüße\u{0}🗂"

        try database.write { db in
            try db.execute(
                "INSERT INTO facts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                [
                    .id(id), .null, .name(name), .digest(digest), .time(time), .integer(Int64.min), .real(0.1),
                    .text(text), 1,
                ]
            )
        }

        try database.read { db in
            try db.forEach("SELECT * FROM facts WHERE id = ?1", [.id(id)]) { row in
                let found: NodeID = try row.identifier(0)
                let parent: NodeID? = try row.optionalIdentifier(1)
                #expect(found == id && parent == nil && row.isNull(1))
                #expect(try row.name(2) == name && row.digest(3) == digest && row.timestamp(4) == time)
                #expect(try row.int64(5) == .min && row.double(6) == 0.1 && row.text(7) == text && row.bool(8))
                #expect(try row.value(5) == .integer(Int64.min) && row.value(1) == .null && row.columnCount == 9)
                #expect(try row.withBlob(0) { $0.count } == 16)
            }
        }
    }

    @Test func `the hot path binds and reads the same values`() throws {
        let database = try Fixture.open(":memory:", migrations: Self.migrations)
        let digest = try #require(Digest(bytes: (0..<32).map { UInt8(255 - $0) }))
        let ids = (0..<10).map { _ in NodeID.random(at: TimeSource.system.wall) }

        try database.write { db in
            try db.withStatement("INSERT INTO facts (id, digest, number, text) VALUES (?1, ?2, ?3, ?4)") { statement in
                for (index, id) in ids.enumerated() {
                    try statement.bind(id, at: 1)
                    try statement.bind(digest, at: 2)
                    try statement.bind(index, at: 3)
                    try statement.bind("", at: 4)
                    #expect(try statement.run() == 1)
                }
            }
        }
        try database.read { db in
            try db.withStatement("SELECT id, digest, text FROM facts WHERE number = ?1") { statement in
                for (index, id) in ids.enumerated() {
                    statement.reset()
                    try statement.bind(index, at: 1)
                    #expect(try statement.step())
                    #expect(
                        try statement.identifier(0) == id && statement.digest(1) == digest && statement.text(2) == ""
                    )
                    #expect(try !statement.step())
                }
            }
        }
    }

    @Test(arguments: [0, 1, 15, 511, 512, 513, 70_000])
    func `bytes of any length are bound, in the scratch space or past it`(count: Int) throws {
        let database = try Fixture.open(":memory:")
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try database.write { db in
            try db.withStatement("INSERT INTO items VALUES (?1, ?2)") { statement in
                try statement.bind(1, at: 1)
                try statement.bind(bytes, at: 2)
                try statement.run()
                // What the last run bound is not there for the next one.
                try statement.bind(2, at: 1)
                #expect(code { _ = try statement.run() } == .constraint(.notNull))
            }
        }
        #expect(try database.get(1) == bytes)
    }

    @Test func `a column of another type, or NULL, is a mismatch and never zero`() throws {
        let database = try Fixture.open(":memory:")
        try database.read { db in
            try db.forEach("SELECT NULL, 'text', x'00', 1.5, 2") { row in
                #expect(code { _ = try row.int64(0) } == .mismatch)
                #expect(code { _ = try row.int64(1) } == .mismatch)
                #expect(code { _ = try row.text(2) } == .mismatch)
                #expect(code { _ = try row.int64(3) } == .mismatch)
                #expect(code { _ = try row.bool(4) } == .mismatch)
                #expect(code { let _: NodeID = try row.identifier(2) } == .mismatch)
                #expect(code { _ = try row.digest(2) } == .mismatch)
                #expect(code { _ = try row.name(2) } == .mismatch)
                #expect(code { _ = try row.blob(9) } == .mismatch)
            }
            try db.forEach("SELECT CAST(x'ff' AS TEXT)") { row in #expect(code { _ = try row.text(0) } == .mismatch) }
        }
    }

    @Test func `constraints are told apart`() throws {
        let database = try Fixture.open(":memory:", migrations: Self.migrations)
        func outcome(_ sql: SQL) -> SQLiteError.Code? {
            code { try database.write { db in _ = try db.execute(sql) } }
        }
        #expect(outcome("INSERT INTO facts (id, name, text) VALUES (x'01', x'01', '')") == nil)
        #expect(outcome("INSERT INTO facts (id, text) VALUES (x'01', '')") == .constraint(.primaryKey))
        #expect(outcome("INSERT INTO facts (id, name, text) VALUES (x'02', x'01', '')") == .constraint(.unique))
        #expect(outcome("INSERT INTO facts (id) VALUES (x'02')") == .constraint(.notNull))
        #expect(outcome("INSERT INTO facts (id, text, flag) VALUES (x'02', '', 2)") == .constraint(.check))
        #expect(outcome("INSERT INTO facts (id, text, parent) VALUES (x'02', '', x'09')") == .constraint(.foreignKey))
        #expect(outcome("INSERT INTO facts (id, text) VALUES (7, '')") == .constraint(.dataType))
    }

    @Test func `an error carries the statement and never a value`() throws {
        let database = try Fixture.open(":memory:", migrations: Self.migrations)
        let secret = "the-bound-secret"
        let statements: [(SQL, [Value])] = [
            ("INSERT INTO facts (id, text, number) VALUES (?1, ?1, 1)", [.text(secret)]),
            ("SELECT json_extract('{}', ?1)", [.text(secret)]),
            ("SELECT json(?1)", [.text("{" + secret)]),
            ("SELECT no_such_column FROM facts WHERE text = ?1", [.text(secret)]),
            ("SELECT 1 WHERE 'a' = ?1 AND ?2", [.text(secret)]),
            ("SELECT zeroblob(?1), ?2", [.integer(Int64(1) << 40), .text(secret)]),
        ]
        for (sql, values) in statements {
            let error = #expect(throws: SQLiteError.self) {
                try database.write { db in _ = try db.query(sql, values) { try $0.value(0) } }
            }
            #expect(error?.sql == sql.text)
            #expect(!String(describing: error).contains(secret) && error?.message.isEmpty == false)
        }
    }

    @Test func `a text must be exactly one statement`() throws {
        let database = try Fixture.open(":memory:")
        for text in ["", "  ; ", "-- nothing", "SELECT 1; SELECT 2", "SELEC 1", "SELECT \"no column\""] {
            #expect(code { try database.write { db in _ = try db.exists(SQL(text)) } } == .misuse, "\(text)")
        }
        #expect(try database.read { db in try db.exists("SELECT 1 ; \n ") })
        #expect(code { try database.write { db in _ = try db.execute("SELECT 1") } } == .misuse)
    }

    @Test func `the statement cache is bounded and the oldest goes first`() throws {
        let database = try Fixture.open(":memory:")
        try database.write { db in
            for number in 0..<1_000 {
                let found = try db.first(SQL("SELECT \(number) + key FROM (SELECT 1 AS key)")) { try $0.int(0) }
                #expect(found == number + 1)
                #expect(db.cachedStatementCount <= Limits.SQLite.cachedStatementsMax)
            }
            #expect(db.cachedStatementCount == Limits.SQLite.cachedStatementsMax)
        }
    }

    @Test func `a statement may be used inside itself`() throws {
        let database = try Fixture.open(":memory:")
        for key in 1...3 { try database.put(key, [UInt8(key)]) }
        let sums = try database.read { db in
            try db.query("SELECT key FROM items ORDER BY key") { outer in
                let key = try outer.int(0)
                let others = try db.query("SELECT key FROM items ORDER BY key") { try $0.int(0) }
                return key + others.reduce(0, +)
            }
        }
        #expect(sums == [7, 8, 9])
    }
}
