import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// The service's database: each question one snapshot, each change one transaction.
///
/// ## Concurrency
/// Any thread; every call may block. The database serialises writers.
final class UsersStore: Sendable {
    private let database: Database
    let logger: Logger

    init(path: String, logger: Logger) throws(SQLiteError) {
        var configuration = DatabaseConfiguration(applicationID: UsersSchema.applicationID, readerCount: 4)
        configuration.cacheBytes = 16 << 20
        database = try Database.open(
            path: path,
            configuration: configuration,
            migrations: UsersSchema.migrations,
            logger: logger
        )
        self.logger = logger
    }

    func close() { database.close() }

    func read<Result>(_ body: (borrowing Connection) throws -> Result) throws(APIError) -> Result {
        do { return try database.read(body) } catch { throw StorageFailure.apiError(error, logger) }
    }

    /// What a client relies on afterwards is written `.full`: a power cut must not take back what was answered.
    func write<Result>(
        _ durability: Durability = .full,
        _ body: (borrowing Connection) throws -> Result
    ) throws(APIError) -> Result {
        do { return try database.write(durability, body) } catch { throw StorageFailure.apiError(error, logger) }
    }

    /// Throws where the database does not answer.
    func check() throws(APIError) { _ = try read { db in try db.exists("SELECT 1") } }
}
