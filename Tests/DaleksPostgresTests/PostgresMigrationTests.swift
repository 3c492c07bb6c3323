import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite(.needs(.postgres))
struct PostgresMigrationTests {
    private static let first = Migration(
        1,
        "people",
        """
        CREATE TABLE person (id bytea PRIMARY KEY, note text DEFAULT 'a;b');
        CREATE INDEX person_note ON person (note);
        """
    )
    private static let second = Migration(2, "ages", "ALTER TABLE person ADD COLUMN age int8")

    @Test func `migrations run once, in order, and later ones are added`() throws {
        let url = try PostgresServer.shared().makeDatabase()
        _ = try makePool(url: url, migrations: [Self.first])
        let pool = try makePool(url: url, migrations: [Self.first, Self.second])
        _ = try makePool(url: url, migrations: [Self.first, Self.second])

        let rows = try pool.query("SELECT number, name, checksum, owner FROM daleks_migration ORDER BY number")
        #expect(try rows.map { try $0.int64(0) } == [1, 2])
        #expect(try rows.map { try $0.text(1) } == ["people", "ages"])
        #expect(try rows.map { try $0.text(2) } == [Self.first.checksum, Self.second.checksum])
        #expect(try rows.map { try $0.text(3) } == ["daleks-tests", "daleks-tests"])
        #expect(try pool.query("SELECT id, note, age FROM person").isEmpty)
    }

    @Test func `processes that start at once migrate once`() throws {
        let url = try PostgresServer.shared().makeSchema()
        let slow = Migration(2, "slow", "CREATE TABLE slow (x int8); SELECT pg_sleep(0.2); INSERT INTO slow VALUES (1)")
        let errors = onThreads(6) { _ in
            let pool = try makePool(url: url, migrations: [Self.first, slow]) { $0.connectionCountMax = 1 }
            pool.close()
        }
        #expect(errors.isEmpty)
        let pool = try makePool(url: url)
        #expect(try pool.query("SELECT * FROM slow").count == 1)
        #expect(try pool.query("SELECT * FROM daleks_migration").count == 2)
    }

    @Test func `a migration that fails leaves nothing of itself, and all before it`() throws {
        let url = try PostgresServer.shared().makeSchema()
        let broken = Migration(2, "broken", "CREATE TABLE half (x int8); SELECT 1 / 0;")
        let error = postgresError { _ = try makePool(url: url, migrations: [Self.first, broken]) }
        #expect(error?.sqlState == "22012")
        #expect(error?.sql == broken.sql)

        let pool = try makePool(url: url, migrations: [Self.first, Self.second])
        #expect(try pool.query("SELECT to_regclass('half') IS NULL")[0].bool(0))
        #expect(try pool.query("SELECT number FROM daleks_migration").count == 2)
    }

    @Test func `a migration that ends its own transaction is refused`() throws {
        let ending = Migration(1, "ending", "CREATE TABLE x (y int8); COMMIT;")
        let error = postgresError { _ = try makePool(migrations: [ending]) }
        #expect(error?.message == "the script ended the transaction that it runs in")
    }

    @Test func `a database that is not ours, or newer, or edited, is refused and left alone`() throws {
        let url = try PostgresServer.shared().makeSchema()
        _ = try makePool(url: url, migrations: [Self.first, Self.second])

        func refusal(_ migrations: [Migration], name: String = "daleks-tests") throws -> String {
            let error = try #require(
                postgresError { _ = try makePool(url: url, migrations: migrations) { $0.applicationName = name } }
            )
            #expect(error.code == .migrationRefused)
            return error.message
        }
        let edited = Migration(2, "ages", "ALTER TABLE person ADD COLUMN age int4")
        #expect(try refusal([Self.first, edited]) == "migration 2 (ages) ran with another text than this version has")
        #expect(
            try refusal([Self.first]) == "the database has migration 2 (ages) of a newer version; run that version"
        )
        #expect(
            try refusal([Self.first, Self.second], name: "daleks-files")
                == "the database belongs to daleks-tests; give daleks-files one of its own"
        )
        _ = try makePool(url: url).query("DELETE FROM daleks_migration WHERE number = 1")
        #expect(try refusal([Self.first, Self.second]) == "the database lacks the record of migration 1")
    }
}
