import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite(.needs(.postgres))
struct PostgresStatementTests {
    private static let prepared = "SELECT count(*) FROM pg_prepared_statements"

    @Test func `a statement is prepared once in each connection, whatever is NULL`() throws {
        let pool = try makePool()
        try pool.withConnection { connection in
            for index in 0..<5 {
                _ = try connection.query("SELECT $1::int8, $2", [.integer(index), index % 2 == 0 ? "x" : nil])
            }
            // The question itself is the second.
            #expect(try connection.query(Self.prepared)[0].int64(0) == 2)

            _ = try connection.query("SELECT $1::int8, $2", [.int4(1), "x"])
            #expect(try connection.query(Self.prepared)[0].int64(0) == 3)
        }
    }

    @Test func `the cache is bounded, and what was thrown out works again`() throws {
        let pool = try makePool { $0.connectionCountMax = 1 }
        try pool.withConnection { connection in
            for index in 0..<600 {
                #expect(try connection.query("SELECT \(index)")[0].int64(0) == Int64(index))
            }
            #expect(try connection.query("SELECT 0")[0].int64(0) == 0)
            let count = try connection.query(Self.prepared)[0].int64(0)
            #expect(count == Int64(Limits.Postgres.statementCountMax))
        }
    }

    @Test func `a statement that does not parse is not remembered`() throws {
        let pool = try makePool { $0.connectionCountMax = 1 }
        #expect(postgresError { _ = try pool.query("SELECT * FROM thing") }?.sqlState == "42P01")
        _ = try pool.query("CREATE TABLE thing (x int8)")
        #expect(try pool.query("SELECT * FROM thing").isEmpty)
    }

    @Test func `a table that changed under a prepared statement is noticed and forgiven`() throws {
        let pool = try makePool()
        _ = try pool.query("CREATE TABLE thing (x int8)")
        _ = try pool.query("INSERT INTO thing VALUES (1)")
        #expect(try pool.query("SELECT * FROM thing")[0].int64(0) == 1)
        #expect(try pool.transaction { try $0.query("SELECT * FROM thing")[0].int64(0) } == 1)

        _ = try pool.query("ALTER TABLE thing ALTER COLUMN x TYPE text")
        #expect(try pool.query("SELECT * FROM thing")[0].text(0) == "1")
        _ = try pool.query("ALTER TABLE thing ALTER COLUMN x TYPE int4 USING x::int4")
        #expect(try pool.transaction { try $0.query("SELECT * FROM thing")[0].int64(0) } == 1)

        // And one that somebody deallocated behind our back.
        try pool.withConnection { connection in
            _ = try connection.query("SELECT * FROM thing")
            _ = try connection.query("DEALLOCATE ALL")
            #expect(try connection.query("SELECT * FROM thing")[0].int64(0) == 1)
        }
    }

    @Test func `a batch is one round trip and all or nothing`() throws {
        let pool = try makePool()
        _ = try pool.query("CREATE TABLE thing (x int8 PRIMARY KEY)")
        try pool.withConnection { connection in
            let insert = (0..<1_000).map { PostgresStatement("INSERT INTO thing VALUES ($1)", [.integer($0)]) }
            let answers = try connection.batch(insert)
            #expect(answers.allSatisfy { $0.changedCount == 1 })

            let error = postgresError {
                _ = try connection.batch([
                    PostgresStatement("DELETE FROM thing"),
                    PostgresStatement("INSERT INTO thing VALUES (1), (1)"),
                    PostgresStatement("SELECT 'never prepared'"),
                ])
            }
            #expect(error?.code == .uniqueViolation)
            #expect(error?.sql == "INSERT INTO thing VALUES (1), (1)")
            #expect(try connection.query("SELECT count(*) FROM thing")[0].int64(0) == 1_000)
            #expect(try connection.query("SELECT 'never prepared'")[0].text(0) == "never prepared")
            #expect(try connection.batch([]).isEmpty)
        }
    }

    @Test func `a large answer comes row by row, and a body that throws ends it`() throws {
        struct Enough: Error {}
        let pool = try makePool()
        let sql = "SELECT i::int8, repeat('x', 100) FROM generate_series(1, $1) AS i"
        try pool.withConnection { connection in
            var sum: Int64 = 0
            try connection.forEachRow(sql, [50_000]) { sum += try $0.int64(0) }
            #expect(sum == 50_000 * 50_001 / 2)

            var seen = 0
            #expect(throws: Enough.self) {
                try connection.forEachRow(sql, [10_000_000]) { _ in
                    seen += 1
                    if seen == 3 { throw Enough() }
                }
            }
            #expect(seen == 3)
        }
        // The connection that was told to cancel is not lent again.
        #expect(pool.statistics.openCount == 0)
        #expect(try pool.query("SELECT 1")[0].int64(0) == 1)
    }

    @Test func `errors name the condition and the constraint, carry the SQL and never a value`() throws {
        let pool = try makePool()
        _ = try pool.query(
            """
            CREATE TABLE person (
                email text CONSTRAINT person_email UNIQUE, age int4 CHECK (age > 0), name varchar(5) NOT NULL
            )
            """
        )
        let insert = "INSERT INTO person VALUES ($1, $2, $3)"
        _ = try pool.query(insert, ["secret@x", 1, "a"])

        func refused(_ sql: String, _ values: [PostgresValue]) throws -> PostgresError {
            let error = try #require(postgresError { _ = try pool.query(sql, values) })
            #expect(error.sql == sql)
            #expect(!"\(error) \(String(reflecting: error))".contains("secret"))
            return error
        }
        let unique = try refused(insert, ["secret@x", 2, "b"])
        #expect(unique.code == .uniqueViolation)
        #expect(unique.constraint == "person_email")
        #expect(unique.sqlState == "23505")
        #expect(unique.outcome == .notApplied)
        #expect(try refused(insert, ["y", -7, "secret"]).code == .invalidValue)
        #expect(try refused(insert, ["y", -7, "secre"]).code == .checkViolation)
        #expect(try refused(insert, ["secret", 1, nil]).code == .notNullViolation)
        #expect(try refused(insert, ["secret\0", 1, "x"]).code == .invalidValue)
        let cast = try refused("SELECT $1::text::int8", ["secret"])
        #expect(cast.message == "a text cannot be read as its column's type")
        #expect(try refused("SELECT $1::text::json", ["{secret"]).code == .invalidValue)
        let raise = "DO $$ BEGIN RAISE EXCEPTION '%', 'sec' || 'ret'; END $$"
        #expect(try refused(raise, []).message == "the server refused the statement")
        #expect("\(PostgresValue.text("secret")) \([PostgresValue.integer(1)])" == "(text) [(an integer)]")
    }

    @Test func `too many parameters and too many bytes are refused before they are sent`() throws {
        let pool = try makePool()
        let many = [PostgresValue](repeating: 1, count: Limits.Postgres.parameterCountMax + 1)
        #expect(postgresError { _ = try pool.query("SELECT 1", many) }?.code == .tooLarge)
        let large = PostgresValue.blob([UInt8](repeating: 0, count: Limits.Postgres.parameterBytesMax + 1))
        #expect(postgresError { _ = try pool.query("SELECT length($1)", [large]) }?.code == .tooLarge)
        #expect(postgresError { _ = try pool.query("SELECT 1 -- \0") }?.code == .tooLarge)
        #expect(try pool.query("SELECT 1")[0].int64(0) == 1)
    }

    @Test func `COPY is refused and not waited for`() throws {
        let pool = try makePool()
        #expect(postgresError { _ = try pool.query("COPY (SELECT 1) TO STDOUT") } != nil)
        let migration = Migration(1, "copy", "CREATE TABLE x (y int8); COPY x FROM STDIN")
        #expect(postgresError { _ = try makePool(migrations: [migration]) } != nil)
        #expect(try pool.query("SELECT 1")[0].int64(0) == 1)
    }

    @Test func `ten thousand rows go in with one statement`() throws {
        let pool = try makePool()
        _ = try pool.query("CREATE TABLE node (id bytea PRIMARY KEY, name bytea, size int8, is_folder bool)")
        let now = TimeSource.system.wall
        let ids = (0..<10_000).map { _ in NodeID.random(at: now) }
        let names = try (0..<10_000).map { try Name("file-\($0).txt") }

        var best = Double.infinity
        for _ in 0..<3 {
            _ = try pool.query("TRUNCATE node")
            let start = TimeSource.system.now
            let count = try pool.transaction { connection in
                try connection.execute(
                    "INSERT INTO node SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::bool[])",
                    [
                        .ids(ids), .names(names), .integers((0..<10_000).map(Int64.init)),
                        .bools((0..<10_000).map { $0 % 10 == 0 }),
                    ]
                )
            }
            best = min(best, secondsSince(start))
            #expect(count == 10_000)
        }
        print("set-based insert of 10,000 rows: \(Int(best * 1_000)) ms, \(Int(10_000 / best)) rows/s, fsync=on")
        let sum = try pool.query("SELECT sum(size)::int8, count(*) FILTER (WHERE is_folder) FROM node")[0]
        #expect(try sum.int64(0) == 49_995_000)
        #expect(try sum.int64(1) == 1_000)
    }
}
