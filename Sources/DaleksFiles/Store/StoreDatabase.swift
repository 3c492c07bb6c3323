import DaleksCore
import DaleksPostgres
import DaleksSQLite
import DaleksSystem

/// Where the region keeps everything but contents: a file of its own, or a PostgreSQL that several processes share.
///
/// ## Concurrency
/// Any thread; every call may block. On SQLite writers take turns. On PostgreSQL they run side by side: whoever changes
/// a tree locks its row first (`TreeTable.lock`), so each tree sees one writer at a time there too.
enum StoreDatabase: Sendable {
    case sqlite(Database, TreeStamps)
    case postgres(PostgresPool)

    /// One snapshot: what was committed when its first statement ran, and nothing later.
    func read<Result>(_ body: (borrowing StoreConnection) throws -> Result) throws -> Result {
        switch self {
        case .sqlite(let database, _):
            try database.read { connection in
                try withUnsafePointer(to: connection) { try body(StoreConnection(.sqlite($0))) }
            }
        case .postgres(let pool):
            try pool.transaction(isolation: .repeatableRead, readOnly: true) { connection in
                try withUnsafePointer(to: connection) { try body(StoreConnection(.postgres($0))) }
            }
        }
    }

    /// A transaction. On PostgreSQL the body runs again where others got in its way, and every commit is durable.
    func write<Result>(
        _ durability: Durability,
        _ body: (borrowing StoreConnection) throws -> Result
    ) throws -> Result {
        switch self {
        case .sqlite(let database, let stamps):
            try stamps.writing { writing in
                try database.write(durability) { connection in
                    try withUnsafePointer(to: connection) { try body(StoreConnection(.sqlite($0), writing: writing)) }
                }
            }
        case .postgres(let pool):
            try pool.transaction { connection in
                try withUnsafePointer(to: connection) { try body(StoreConnection(.postgres($0))) }
            }
        }
    }

    /// What was seen before this survives a power cut after it. PostgreSQL shows nothing that would not.
    func flush() throws {
        if case .sqlite(let database, _) = self { try database.flush() }
    }

    func close() {
        switch self {
        case .sqlite(let database, _): database.close()
        case .postgres(let pool): pool.close()
        }
    }
}
