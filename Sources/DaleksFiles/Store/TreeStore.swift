import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksPostgres
import DaleksSQLite
import DaleksSystem

/// The region's trees in its database: what is asked of them, each question one snapshot or one transaction.
///
/// ## Concurrency
/// Any thread; every call may block. Writers of one tree come one after the other, so its sequence is taken and its
/// change committed in one turn: the order of commits is the order of the feed.
final class TreeStore: Sendable {
    let database: StoreDatabase
    let logger: Logger
    let time: TimeSource
    /// For owners who have none of their own.
    let bytesQuota: Int64

    init(path: String, bytesQuota: Int64, time: TimeSource = .system, logger: Logger) throws(SQLiteError) {
        var configuration = DatabaseConfiguration(applicationID: FilesSchema.applicationID, readerCount: 4)
        configuration.cacheBytes = 32 << 20
        database = .sqlite(
            try Database.open(
                path: path,
                configuration: configuration,
                migrations: FilesSchema.migrations,
                logger: logger
            )
        )
        self.bytesQuota = bytesQuota
        self.time = time
        self.logger = logger
    }

    /// On a PostgreSQL server, where other processes of the same region may be at work too.
    init(
        postgres url: String,
        bytesQuota: Int64,
        time: TimeSource = .system,
        logger: Logger
    ) throws(PostgresError) {
        var configuration = PostgresConfiguration(applicationName: "daleks-files")
        configuration.connectionCountMax = Limits.Files.postgresConnectionCountMax
        database = .postgres(
            try PostgresPool.open(
                url: url,
                configuration: configuration,
                migrations: FilesSchema.migrations.map(PostgresDialect.migration),
                logger: logger
            )
        )
        self.bytesQuota = bytesQuota
        self.time = time
        self.logger = logger
    }

    func close() { database.close() }

    func read<Result>(_ body: (borrowing StoreConnection) throws -> Result) throws(APIError) -> Result {
        do { return try database.read(body) } catch { throw StorageFailure.apiError(error, logger) }
    }

    func write<Result>(
        _ durability: Durability = .full,
        _ body: (borrowing StoreConnection) throws -> Result
    ) throws(APIError) -> Result {
        do { return try database.write(durability, body) } catch { throw StorageFailure.apiError(error, logger) }
    }

    /// What was seen before this survives a power cut after it.
    func flush() throws(APIError) {
        do { try database.flush() } catch { throw StorageFailure.apiError(error, logger) }
    }

    /// Throws where the database does not answer.
    func check() throws(APIError) { _ = try read { db in try db.exists("SELECT 1") } }

    // MARK: Trees

    /// The owner's tree, made at first use.
    func tree(of owner: UserID) throws(APIError) -> TreeState {
        if let tree = try read({ db in try TreeTable.load(owner: owner, db) }) { return tree }
        let (root, now): (NodeID, Timestamp) = (.random(at: time.wall), time.wall)
        return try write { db in
            if let tree = try TreeTable.load(owner: owner, db) { return tree }
            if let tree = try TreeTable.create(owner: owner, root: root, at: now, db) { return tree }
            guard let tree = try TreeTable.load(owner: owner, db) else { throw RecordError(record: "tree") }
            return tree
        }
    }

    func usage(of owner: UserID) throws(APIError) -> UsageRecord {
        let tree = try tree(of: owner)
        return UsageRecord(
            bytesUsed: tree.bytesUsed,
            bytesQuota: tree.bytesQuota ?? bytesQuota,
            filesUsed: tree.filesUsed
        )
    }

    // MARK: Nodes

    func node(_ id: NodeID, for caller: UserID) throws(APIError) -> NodeRecord {
        try read { db in
            let (tree, node) = try Self.visible(id, to: caller, db)
            guard node.isLive else { throw Self.hidden }
            return node.record(owner: tree.owner)
        }
    }

    func children(
        of id: NodeID,
        after name: Name?,
        limit: Int,
        for caller: UserID
    ) throws(APIError) -> ChildrenPage {
        try read { db in
            let (tree, folder) = try Self.visible(id, to: caller, db)
            guard folder.isLive else { throw Self.hidden }
            guard folder.isFolder else { throw APIError.invalid("only a folder has children") }
            // One more than asked for tells whether there is a next page.
            let rows = try EntryTable.page(of: id, after: name, limit: limit + 1, db)
            let entries = rows.prefix(limit).map { EntryRecord(name: $0.name, node: $0.node.record(owner: tree.owner)) }
            return ChildrenPage(
                entries: entries,
                next: rows.count > limit ? entries.last?.name : nil,
                cursor: tree.cursor.description
            )
        }
    }

    static var hidden: APIError { .notFound("there is nothing here that the caller may see") }

    /// The node and its tree, where the caller may see it. What is not there and what is hidden look alike.
    static func visible(
        _ id: NodeID,
        to caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> (tree: TreeState, node: StoredNode) {
        guard let node = try NodeTable.load(id, db), let tree = try TreeTable.load(number: node.tree, db) else {
            throw hidden
        }
        switch AccessDecision.decide(.see, isOwner: tree.owner == caller, granted: [], isPublic: false) {
        case .allowed: return (tree, node)
        case .hidden: throw hidden
        case .refused: throw APIError.forbidden("the caller may not read this")
        }
    }
}
