import DaleksSQLite
import DaleksSystem
import Testing

@Suite struct MigrationTests {
    private static let first = Migration(
        1,
        "items",
        "CREATE TABLE items (key INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT"
    )
    private static let second = Migration(
        2,
        "notes",
        "CREATE TABLE notes (text TEXT) STRICT; INSERT INTO notes VALUES ('a;b')"
    )

    private func openAndClose(_ path: String, _ migrations: [Migration]) throws {
        try Fixture.open(path, migrations: migrations).close()
    }

    @Test func `each step runs once, and a later program adds only its own`() throws {
        let scratch = Scratch()
        try openAndClose(scratch["a.db"], [Self.first])
        try openAndClose(scratch["a.db"], [Self.first, Self.second])
        let database = try Fixture.open(scratch["a.db"], migrations: [Self.first, Self.second])
        let notes = try database.read { db in try db.query("SELECT text FROM notes") { try $0.text(0) } }
        #expect(notes == ["a;b"])
    }

    @Test func `an edited step is refused`() throws {
        let scratch = Scratch()
        try openAndClose(scratch["a.db"], [Self.first, Self.second])
        let edited = Migration(1, "items", Self.first.sql + " ")
        #expect(code { try openAndClose(scratch["a.db"], [edited, Self.second]) } == .migration(.edited))
        let renamed = Migration(1, "things", Self.first.sql)
        #expect(code { try openAndClose(scratch["a.db"], [renamed, Self.second]) } == .migration(.edited))
    }

    @Test func `a database newer than the program is refused`() throws {
        let scratch = Scratch()
        try openAndClose(scratch["a.db"], [Self.first, Self.second])
        #expect(code { try openAndClose(scratch["a.db"], [Self.first]) } == .migration(.newer))
    }

    @Test func `a step that is missing from the record is refused`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"], migrations: [Self.first, Self.second])
        try database.write { db in _ = try db.execute("DELETE FROM daleks_migrations WHERE number = 1") }
        database.close()
        #expect(code { try openAndClose(scratch["a.db"], [Self.first, Self.second]) } == .migration(.missing))
    }

    @Test func `tables without any record are refused`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"], migrations: [Self.first])
        try database.write { db in _ = try db.execute("DROP TABLE daleks_migrations") }
        database.close()
        #expect(code { try openAndClose(scratch["a.db"], [Self.first]) } == .migration(.missing))
    }

    @Test(arguments: ["CREATE TABLE half (a); CREATE TABLE half (a)", "CREATE TABLE half (a); COMMIT", "nonsense"])
    func `a step that fails leaves nothing of itself and is tried again`(sql: String) throws {
        let scratch = Scratch()
        let broken = Migration(2, "broken", sql)
        #expect(code { try openAndClose(scratch["a.db"], [Self.first, broken]) } == .migration(.failed))
        let database = try Fixture.open(scratch["a.db"], migrations: [Self.first, Self.second])
        #expect(try database.read { db in try !db.exists("SELECT 1 FROM sqlite_schema WHERE name = 'half'") })
    }

    @Test func `a step may rebuild a table that others point at, but not leave rows that point at nothing`() throws {
        let scratch = Scratch()
        let tables = Migration(
            1,
            "tables",
            """
            CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT;
            CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents (id)) STRICT;
            INSERT INTO parents VALUES (1);
            INSERT INTO children VALUES (1, 1);
            """
        )
        let rebuild = Migration(
            2,
            "rebuild",
            """
            CREATE TABLE parents_new (id INTEGER PRIMARY KEY, note TEXT) STRICT;
            INSERT INTO parents_new SELECT id, NULL FROM parents;
            DROP TABLE parents;
            ALTER TABLE parents_new RENAME TO parents;
            """
        )
        try openAndClose(scratch["a.db"], [tables, rebuild])
        let orphan = Migration(3, "orphan", "DELETE FROM parents")
        #expect(code { try openAndClose(scratch["a.db"], [tables, rebuild, orphan]) } == .migration(.failed))
        let database = try Fixture.open(scratch["a.db"], migrations: [tables, rebuild])
        #expect(
            code { try database.write { db in _ = try db.execute("DELETE FROM parents") } } == .constraint(.foreignKey)
        )
    }

    @Test func `several that open a new database at once make it once`() throws {
        let scratch = Scratch()
        onThreads(6) { index in
            #expect(throws: Never.self) {
                let database = try Fixture.open(scratch["a.db"], migrations: [Self.first, Self.second])
                try database.put(index, [UInt8(index)])
            }
        }
        let database = try Fixture.open(scratch["a.db"], migrations: [Self.first, Self.second])
        #expect(try database.count() == 6)
        #expect(try database.read { db in try db.first("SELECT count(*) FROM notes") { try $0.int(0) } } == 1)
        #expect(try database.verify(thorough: true).isEmpty)
    }
}
