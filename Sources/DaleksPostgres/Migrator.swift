import DaleksCore
import DaleksSystem

/// Brings a database's tables to the shape that this program knows, or refuses to touch them.
///
/// Each step runs in one transaction with the record that it ran. All who start at once queue for one lock of the
/// database and look again when they have it, so that each step runs once.
struct Migrator {
    private let migrations: [Migration]
    private let owner: String
    private let logger: Logger

    /// The lock's number means nothing; it only has to be ours.
    private static let lock: Int64 = 0x6461_6c65_6b73_0001

    init(_ migrations: [Migration], owner: String, logger: Logger) {
        precondition(zip(migrations, 1...).allSatisfy { $0.number == $1 }, "migrations count from 1 without gaps")
        self.migrations = migrations
        self.owner = owner
        self.logger = logger
    }

    func run(on session: Session) throws(PostgresError) {
        guard !migrations.isEmpty else { return }
        while try runNext(on: session) {}
    }

    /// False when all have run.
    private func runNext(on session: Session) throws(PostgresError) -> Bool {
        session.announce("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        do throws(PostgresError) {
            let next = try self.next(on: session)
            if let next { try apply(next, on: session) }
            try session.commit()
            if let next { logger.info("database migrated", ["number": next.number, "name": next.name]) }
            return next != nil
        } catch {
            session.rollback()
            throw error
        }
    }

    private func next(on session: Session) throws(PostgresError) -> Migration? {
        let timeout = Limits.Postgres.migrationTimeout
        // The server's own limits are for statements of every day; waiting for another's migration may take long.
        try session.run([PostgresStatement("SET LOCAL statement_timeout = 0")])
        try session.run([PostgresStatement("SET LOCAL idle_in_transaction_session_timeout = 0")])
        try session.script("SELECT pg_advisory_xact_lock(\(Self.lock))", timeout: timeout)
        let exists = try session.run([
            PostgresStatement("SELECT to_regclass('daleks_migration') IS NOT NULL")
        ])[0][0].bool(0)
        if !exists {
            try session.script(
                """
                CREATE TABLE daleks_migration (
                    number int8 PRIMARY KEY,
                    name text NOT NULL,
                    checksum text NOT NULL,
                    owner text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now()
                )
                """,
                timeout: timeout
            )
        }
        let rows = try session.run([
            PostgresStatement("SELECT number, name, checksum, owner FROM daleks_migration ORDER BY number")
        ])[0]
        try verify(rows)
        return migrations.dropFirst(rows.count).first
    }

    /// What ran must be a beginning of what we know, word for word.
    private func verify(_ rows: PostgresRows) throws(PostgresError) {
        for (index, row) in rows.enumerated() {
            let number = try row.int64(0)
            let name = try row.text(1)
            let rowOwner = try row.text(3)
            guard rowOwner == owner else {
                throw refusal("the database belongs to \(rowOwner); give \(owner) one of its own")
            }
            guard number == Int64(index + 1) else {
                throw refusal("the database lacks the record of migration \(index + 1)")
            }
            guard index < migrations.count else {
                throw refusal("the database has migration \(number) (\(name)) of a newer version; run that version")
            }
            let known = migrations[index]
            guard try row.text(2) == known.checksum, name == known.name else {
                throw refusal("migration \(number) (\(name)) ran with another text than this version has")
            }
        }
    }

    private func apply(_ migration: Migration, on session: Session) throws(PostgresError) {
        try session.script(migration.sql, timeout: Limits.Postgres.migrationTimeout)
        try session.run([
            PostgresStatement(
                "INSERT INTO daleks_migration (number, name, checksum, owner) VALUES ($1, $2, $3, $4)",
                [.integer(migration.number), .text(migration.name), .text(migration.checksum), .text(owner)]
            )
        ])
    }

    private func refusal(_ message: String) -> PostgresError { PostgresError(.migrationRefused, message) }
}
