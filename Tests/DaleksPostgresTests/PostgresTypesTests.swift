import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite(.needs(.postgres))
struct PostgresTypesTests {
    @Test func `scalars come back as they were sent`() throws {
        let pool = try makePool()

        for integer in [0, 1, -1, Int64.min, .max] {
            #expect(try pool.query("SELECT $1", [.integer(integer)])[0].int64(0) == integer)
        }
        for real in [0, -0.5, Double.pi, .infinity, -.greatestFiniteMagnitude, .leastNonzeroMagnitude] {
            #expect(try pool.query("SELECT $1", [.real(real)])[0].double(0) == real)
        }
        #expect(try pool.query("SELECT $1", [.real(.nan)])[0].double(0).isNaN)
        for text in ["", "plain", "grüße 🌍", "'; DROP TABLE x; --", "a\nb\\c\u{1}"] {
            #expect(try pool.query("SELECT $1", [.text(text)])[0].text(0) == text)
        }
        let row = try pool.query("SELECT $1, $2, $3, 7::int2, 1.5::float4", [true, false, .int4(-5)])[0]
        #expect(try row.bool(0))
        #expect(try !row.bool(1))
        #expect(try row.int64(2) == -5)
        #expect(try row.int64(3) == 7)
        #expect(try row.double(4) == 1.5)
    }

    @Test func `random bytes of every length come back as they were sent`() throws {
        var generator = SeededGenerator(for: "PostgreSQL bytes")
        let pool = try makePool()
        _ = try pool.query("CREATE TABLE blob (number int8, bytes bytea)")

        let random = (0..<200).map { _ in generator.bytes(count: Int(generator.next() % 3_000)) }
        let sent = random + [[], [0], [0, 0xff, 0]]
        for (number, bytes) in sent.enumerated() {
            _ = try pool.query("INSERT INTO blob VALUES ($1, $2)", [.integer(number), .blob(bytes)])
        }

        let received = try pool.query("SELECT bytes FROM blob ORDER BY number").map { try $0.blob(0) }
        #expect(received == sent)
        let together = try pool.query("SELECT array_agg(bytes ORDER BY number) FROM blob")[0].blobs(0)
        #expect(together == sent)
    }

    @Test func `NULL comes back as nil, from every type`() throws {
        let pool = try makePool()
        let row = try pool.query(
            "SELECT $1::int8, $2::text, $3::bytea, $4::bool, $5::float8, $6::int8[], $7",
            [nil, nil, nil, nil, nil, nil, .optional(Int64?.none) { .integer($0) }]
        )[0]

        #expect(try row.optional(0, row.int64) == nil)
        #expect(try row.optional(1, row.text) == nil)
        #expect(try row.optional(2, row.blob) == nil)
        #expect(try row.optional(3, row.bool) == nil)
        #expect(try row.optional(4, row.double) == nil)
        #expect(try row.optional(5, row.int64s) == nil)
        #expect(row.isNull(6))
        #expect(postgresError { _ = try row.int64(0) }?.code == .unexpectedType)
    }

    @Test func `arrays come back as they were sent, empty ones and NULLs in them too`() throws {
        let pool = try makePool()
        let row = try pool.query(
            "SELECT $1, $2, $3, $4, $5, $6",
            [
                .integers([Int64.min, 0, .max]), .texts(["", "a,b", "{\"}", "NULL"]), .blobs([[], [0], [1, 2, 255]]),
                .bools([true, false]), .reals([0.5, -.infinity]), .optionalIntegers([1, nil, 3]),
            ]
        )[0]
        #expect(try row.int64s(0) == [.min, 0, .max])
        #expect(try row.texts(1) == ["", "a,b", "{\"}", "NULL"])
        #expect(try row.blobs(2) == [[], [0], [1, 2, 255]])
        #expect(try row.bools(3) == [true, false])
        #expect(try row.doubles(4) == [0.5, -.infinity])
        #expect(try row.optionalInt64s(5) == [1, nil, 3])
        #expect(postgresError { _ = try row.int64s(5) }?.code == .unexpectedType)

        let empty = try pool.query(
            "SELECT $1, $2, $3, $4, cardinality($1)",
            [.integers([]), .texts([]), .blobs([]), .optionalBools([])]
        )[0]
        #expect(try empty.int64s(0) == [])
        #expect(try empty.texts(1) == [])
        #expect(try empty.blobs(2) == [])
        #expect(try empty.bools(3) == [])
        #expect(try empty.int64(4) == 0)

        let sparse = try pool.query(
            "SELECT $1, $2, $3",
            [.optionalTexts([nil, "x"]), .optionalBlobs([nil, [], [9]]), .optionalBools([nil, true])]
        )[0]
        #expect(try sparse.optionalTexts(0) == [nil, "x"])
        #expect(try sparse.optionalBlobs(1) == [nil, [], [9]])
        #expect(try sparse.optionalBools(2) == [nil, true])
        #expect(try pool.query("SELECT '{1,2}'::int4[], '{3}'::int2[]")[0].int64s(1) == [3])
        #expect(postgresError { _ = try pool.query("SELECT '{{1,2},{3,4}}'::int8[]")[0].int64s(0) } != nil)
    }

    @Test func `the project's own values come back as they were sent`() throws {
        let pool = try makePool()
        let id = NodeID.random(at: TimeSource.system.wall)
        let digest = try #require(Digest(bytes: Random.bytes(count: 32)))
        let name = try Name([0xff, 0xfe, UInt8(ascii: "x")])
        let time = Timestamp(nanoseconds: 1_234_567_890_123_456_789)
        let row = try pool.query(
            "SELECT $1, $2, $3, $4, $5, $6",
            [.id(id), .digest(digest), .name(name), .time(time), .ids([id, id]), .names([name])]
        )[0]
        #expect(try row.identifier(0) == id)
        #expect(try row.digest(1) == digest)
        #expect(try row.name(2) == name)
        #expect(try row.timestamp(3) == time)
        #expect(try row.blobs(4) == [id.bytes, id.bytes])
        #expect(try row.blobs(5) == [name.bytes])
        #expect(postgresError { let _: NodeID = try row.identifier(1) }?.code == .unexpectedType)
    }

    @Test func `a column of another type is an error that says which and what to do`() throws {
        let rows = try makePool().query("SELECT 1::numeric, 'x'::text, now()")
        let error = postgresError { _ = try rows[0].int64(0) }
        #expect(error?.code == .unexpectedType)
        #expect(error?.message == "column 0 is numeric (cast it to int8 or float8); an integer was expected")
        #expect(postgresError { _ = try rows[0].blob(1) }?.message == "column 1 is text; bytea was expected")
        #expect(postgresError { _ = try rows[0].int64(2) } != nil)
    }
}
