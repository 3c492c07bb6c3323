import DaleksSystem

/// Brings a database to the shape that this program knows, by steps that are only ever appended.
///
/// Each step runs in a transaction together with the record that it ran. Foreign keys are off while it runs, as SQLite
/// demands for rebuilding a table that others point at, and the whole database is checked against them before the step
/// is committed.
struct Migrator {
    let migrations: [Migration]
    let time: TimeSource

    private struct Record {
        let number: Int
        let name: String
        let checksum: String
    }

    init(_ migrations: [Migration], time: TimeSource = .system) {
        let isNumbered = migrations.enumerated().allSatisfy { $0.element.number == $0.offset + 1 }
        precondition(isNumbered, "migrations count from 1 without gaps")
        self.migrations = migrations
        self.time = time
    }

    /// The steps that ran now.
    func run(on handle: Handle) throws -> [Migration] {
        let applied = try records(on: handle)
        try check(applied)
        guard applied.count < migrations.count else { return [] }
        try handle.script("PRAGMA foreign_keys = OFF")
        for migration in migrations { try apply(migration, on: handle) }
        try handle.script("PRAGMA foreign_keys = ON")
        return Array(migrations[applied.count...])
    }

    private func records(on handle: Handle) throws -> [Record] {
        try handle.transaction(.reading) {
            let connection = Connection(handle)
            let hasRecord = try connection.exists("SELECT 1 FROM sqlite_schema WHERE name = 'daleks_migrations'")
            if hasRecord { return try Self.records(connection) }
            let isEmpty = try !connection.exists("SELECT 1 FROM sqlite_schema")
            guard isEmpty else {
                throw SQLiteError(.migration(.missing), "the database has tables but no record of its migrations")
            }
            return []
        }
    }

    private static func records(_ connection: borrowing Connection) throws -> [Record] {
        try connection.query("SELECT number, name, checksum FROM daleks_migrations ORDER BY number") { row in
            Record(number: try row.int(0), name: try row.text(1), checksum: try row.text(2))
        }
    }

    private func check(_ applied: [Record]) throws(SQLiteError) {
        if let last = applied.last, last.number > migrations.count {
            let known = "this program knows \(migrations.count)"
            let message = "the database is newer than this program: it has had migration \(last.number), \(known)"
            throw SQLiteError(.migration(.newer), message)
        }
        for (index, record) in applied.enumerated() {
            guard record.number == index + 1 else {
                let message = "migration \(index + 1) never ran here, though \(record.number) did"
                throw SQLiteError(.migration(.missing), message)
            }
            let known = migrations[index]
            guard record.checksum == known.checksum, record.name == known.name else {
                let message = "migration \(known.number) (\(known.name)) is not what ran here as \(record.name)"
                throw SQLiteError(.migration(.edited), message)
            }
        }
    }

    /// Another process may have run the step since we looked; the record is asked again under the write lock.
    private func apply(_ migration: Migration, on handle: Handle) throws {
        try handle.transaction(.writing) {
            let connection = Connection(handle)
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS daleks_migrations (
                    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL
                ) STRICT
                """
            )
            let applied = try Self.records(connection)
            try check(applied)
            guard applied.count < migration.number else { return }
            try runScript(of: migration, on: handle)
            try connection.execute(
                "INSERT INTO daleks_migrations (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
                [.integer(migration.number), .text(migration.name), .text(migration.checksum), .time(time.wall)]
            )
        }
    }

    private func runScript(of migration: Migration, on handle: Handle) throws {
        let step = "migration \(migration.number) (\(migration.name))"
        do throws(SQLiteError) {
            try handle.script(migration.sql)
        } catch {
            let message = "\(step) failed: \(error.message)"
            throw SQLiteError(.migration(.failed), message, extendedCode: error.extendedCode, sql: error.sql)
        }
        guard try !Connection(handle).exists("PRAGMA foreign_key_check") else {
            throw SQLiteError(.migration(.failed), "\(step) would leave rows that point at nothing")
        }
    }
}
