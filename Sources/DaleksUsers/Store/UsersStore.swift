import DaleksCore
import DaleksHTTP
import DaleksPostgres
import DaleksSQLite
import DaleksSystem

/// The service's database: each question one snapshot, each change one transaction.
///
/// Changes behave as if they ran one after the other, whichever database it is and however many processes use it:
/// SQLite has one writer, and PostgreSQL orders them (`SERIALIZABLE`) or runs one again. So a closure may run more than
/// once, and must leave no trace outside the database.
///
/// ## Concurrency
/// Any thread; every call may block.
final class UsersStore: Sendable {
    private enum Backend: Sendable {
        case sqlite(Database)
        case postgres(PostgresPool)
    }

    /// Spelt once: it takes longer than to compare them with those that ran.
    private static let postgresMigrations = UsersSchema.migrations.map(Dialect.postgres)

    private let backend: Backend
    private let reads: Histogram
    private let writes: Histogram
    let logger: Logger

    /// A file of this process alone.
    init(path: String, metrics: Metrics = Metrics(), logger: Logger) throws(SQLiteError) {
        (reads, writes) = (Self.latency("read", metrics), Self.latency("write", metrics))
        var configuration = DatabaseConfiguration(applicationID: UsersSchema.applicationID, readerCount: 4)
        configuration.cacheBytes = 16 << 20
        backend = .sqlite(
            try Database.open(
                path: path,
                configuration: configuration,
                migrations: UsersSchema.migrations,
                logger: logger
            )
        )
        self.logger = logger
    }

    /// A server's, which any number of processes share.
    init(url: String, metrics: Metrics = Metrics(), logger: Logger) throws(PostgresError) {
        (reads, writes) = (Self.latency("read", metrics), Self.latency("write", metrics))
        var configuration = PostgresConfiguration(applicationName: "daleks-users")
        configuration.connectionCountMax = Limits.Users.databaseConnectionCountMax
        backend = .postgres(
            try PostgresPool.open(
                url: url,
                configuration: configuration,
                migrations: Self.postgresMigrations,
                logger: logger
            )
        )
        self.logger = logger
    }

    private static func latency(_ work: String, _ metrics: Metrics) -> Histogram {
        metrics.histogram(
            "daleks_users_database_seconds",
            help: "Time that the database took, with waiting for it and trying again.",
            labels: ["work": work],
            buckets: Histogram.latencySeconds
        )
    }

    /// True where other processes may work with the same tables.
    var isShared: Bool {
        switch backend {
        case .sqlite: false
        case .postgres: true
        }
    }

    func close() {
        switch backend {
        case .sqlite(let database): database.close()
        case .postgres(let pool): pool.close()
        }
    }

    func read<Result>(_ body: (borrowing Connection) throws -> Result) throws(APIError) -> Result {
        try asking(reads) { database in
            try database.read { try Connection.lending($0, body) }
        } or: { pool in
            try pool.transaction(isolation: .repeatableRead, readOnly: true) {
                try Connection.lending($0, body)
            }
        }
    }

    /// What a client relies on afterwards is written `.full`: a power cut must not take back what was answered. A
    /// PostgreSQL server makes everything durable.
    func write<Result>(
        _ durability: Durability = .full,
        _ body: (borrowing Connection) throws -> Result
    ) throws(APIError) -> Result {
        try asking(writes) { database in
            try database.write(durability) { try Connection.lending($0, body) }
        } or: { pool in
            try pool.transaction(isolation: .serializable) { try Connection.lending($0, body) }
        }
    }

    /// What goes wrong is told as the service tells it, whichever database it was.
    private func asking<Result>(
        _ latency: Histogram,
        _ sqlite: (Database) throws -> Result,
        or postgres: (PostgresPool) throws -> Result
    ) throws(APIError) -> Result {
        let began = TimeSource.system.now
        defer { latency.observe(TimeSource.system.now - began) }
        do {
            switch backend {
            case .sqlite(let database): return try sqlite(database)
            case .postgres(let pool): return try postgres(pool)
            }
        } catch {
            throw StorageFailure.apiError(error, logger)
        }
    }

    // MARK: Statements that need no transaction around them

    /// As `read`, for a body of one statement, which is a snapshot by itself. PostgreSQL is asked once instead of three
    /// times.
    func readOnce<Result>(_ body: (borrowing Connection) throws -> Result) throws(APIError) -> Result {
        try asking(reads) { database in
            try database.read { try Connection.lending($0, body) }
        } or: { pool in
            // Who only reads may ask again, also where nobody knows what became of the question.
            try Self.alone(pool, repeats: [.connectionLost], body)
        }
    }

    /// As `write`, for a body of one statement that says itself what it may change (`UPDATE … WHERE`): whoever comes
    /// second waits for the row, looks at it as it is then, and nothing has to run again.
    func writeOnce<Result>(
        _ durability: Durability = .full,
        _ body: (borrowing Connection) throws -> Result
    ) throws(APIError) -> Result {
        try asking(writes) { database in
            try database.write(durability) { try Connection.lending($0, body) }
        } or: { pool in
            try Self.alone(pool, repeats: [], body)
        }
    }

    /// As `write`, for a body whose first statement changes every row that it decides by (`AttemptTable.hold`). Others
    /// wait for those rows; ordered as `write` orders them, all but one at a time would run again.
    func writeHolding<Result>(
        _ durability: Durability = .full,
        _ body: (borrowing Connection) throws -> Result
    ) throws(APIError) -> Result {
        try asking(writes) { database in
            try database.write(durability) { try Connection.lending($0, body) }
        } or: { pool in
            try pool.transaction(isolation: .readCommitted) { try Connection.lending($0, body) }
        }
    }

    /// A server may order single statements as strictly as transactions; then one of them can fail for that.
    private static func alone<Result>(
        _ pool: PostgresPool,
        repeats codes: [PostgresError.Code],
        _ body: (borrowing Connection) throws -> Result
    ) throws -> Result {
        for _ in 1..<Limits.Users.statementTriesMax {
            do {
                return try pool.withConnection { try Connection.lending($0, body) }
            } catch let error as PostgresError {
                guard error.code == .serializationFailure || codes.contains(error.code) else { throw error }
            }
        }
        return try pool.withConnection { try Connection.lending($0, body) }
    }

    /// What readers saw so far survives a power cut once this returns. A PostgreSQL server shows nothing before.
    func flush() throws(APIError) {
        guard case .sqlite(let database) = backend else { return }
        do throws(SQLiteError) { try database.flush() } catch { throw StorageFailure.apiError(error, logger) }
    }

    /// Throws where the database does not answer.
    func check() throws(APIError) { _ = try readOnce { db in try db.exists("SELECT 1") } }

    /// A consistent copy in a file of its own, while the service goes on. Nil where the server's own tools do that.
    func backup(to path: String) throws -> Bool {
        guard case .sqlite(let database) = backend else { return false }
        try database.backup(to: path)
        return true
    }
}
