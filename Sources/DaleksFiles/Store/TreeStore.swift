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
    /// How long trash stays.
    let trashKept: Duration
    let access = AccessCache()

    init(
        path: String,
        bytesQuota: Int64,
        trashKept: Duration = Limits.Files.trashKept,
        time: TimeSource = .system,
        logger: Logger
    ) throws(SQLiteError) {
        var configuration = DatabaseConfiguration(applicationID: FilesSchema.applicationID, readerCount: 4)
        configuration.cacheBytes = 32 << 20
        database = .sqlite(
            try Database.open(
                path: path,
                configuration: configuration,
                migrations: FilesSchema.migrations,
                logger: logger
            ),
            TreeStamps()
        )
        self.bytesQuota = bytesQuota
        self.trashKept = trashKept
        self.time = time
        self.logger = logger
    }

    /// On a PostgreSQL server, where other processes of the same region may be at work too.
    init(
        postgres url: String,
        bytesQuota: Int64,
        trashKept: Duration = Limits.Files.trashKept,
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
        self.trashKept = trashKept
        self.time = time
        self.logger = logger
    }

    func close() { database.close() }

    /// Nil on PostgreSQL, where other processes change trees too.
    var stamps: TreeStamps? {
        guard case .sqlite(_, let stamps) = database else { return nil }
        return stamps
    }

    /// How several processes tell each other of changes; nil on SQLite, where there is one.
    func relay() -> FeedRelay? {
        guard case .postgres(let pool) = database else { return nil }
        return FeedRelay(pool, logger: logger)
    }

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

    /// A consistent copy of the database while others use it, at a path where nothing is.
    func backup(to path: String) throws {
        guard case .sqlite(let database, _) = database else { preconditionFailure("PostgreSQL has its own backups") }
        try database.backup(to: path)
    }

    /// After the database came back from a backup: cursors from before no longer count, so clients push back what the
    /// region forgot, and delete nothing on the word of an older state. How many trees there are.
    func raiseEpochs() throws(APIError) -> Int {
        let now = time.wall
        return try write { db in
            let numbers = try TreeTable.numbers(db)
            for number in numbers.sorted() {
                guard var tree = try TreeTable.lock(number: number, db) else { continue }
                tree.comeBack(at: now)
                try TreeTable.saveReturn(of: tree, db)
            }
            return numbers.count
        }
    }

    /// The owner's own client has seen a state that this tree never had: it came back from a backup, and nobody said
    /// so. Throws after noting it.
    func noteUnannouncedReturn(of number: TreeNumber, from cursor: Cursor) throws(APIError) -> Never {
        let now = time.wall
        try write { db in
            guard var tree = try TreeTable.lock(number: number, db), tree.isBehind(cursor, at: now) else { return }
            tree.comeBack(at: now, seen: max(cursor.epoch, cursor.sequence))
            try TreeTable.saveReturn(of: tree, db)
            logger.warning(
                "a client has seen more than this tree ever had: the database came back from a backup",
                ["tree": number]
            )
        }
        throw Self.expired
    }

    static var expired: APIError {
        APIError(.cursorExpired, "the feed does not reach back to this cursor: list again")
    }

    func usage(of owner: UserID) throws(APIError) -> UsageRecord {
        let tree = try tree(of: owner)
        return UsageRecord(
            bytesUsed: tree.bytesUsed,
            bytesQuota: tree.bytesQuota ?? bytesQuota,
            filesUsed: tree.filesUsed,
            versionsBytes: tree.versionsBytes,
            trashBytes: tree.trashBytes
        )
    }

    // MARK: Nodes

    func node(_ id: NodeID, for caller: UserID) throws(APIError) -> NodeRecord {
        try read { db in
            let seen = try visible(id, to: caller, db)
            guard seen.standing.isReachable else { throw Self.hidden }
            return seen.record
        }
    }

    func children(
        of id: NodeID,
        after name: Name?,
        limit: Int,
        for caller: UserID
    ) throws(APIError) -> ChildrenPage {
        try read { db in
            let folder = try visible(id, to: caller, db)
            guard folder.standing.isReachable else { throw Self.hidden }
            guard folder.node.isFolder else { throw APIError.invalid("only a folder has children") }
            // One more than asked for tells whether there is a next page.
            let (rows, isCut) = try EntryTable.page(of: id, after: name, limit: limit + 1, db)
            let entries = try rows.prefix(limit).map { row in
                EntryRecord(name: row.name, node: try record(of: row.node, in: folder, caller, db))
            }
            return ChildrenPage(
                entries: entries,
                next: rows.count > limit || isCut ? entries.last?.name : nil,
                cursor: folder.tree.cursor.description
            )
        }
    }

    /// A child may have been granted more than its folder.
    private func record(
        of child: StoredNode,
        in folder: Seen,
        _ caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> NodeRecord {
        guard folder.tree.owner != caller else { return child.record(owner: caller) }
        var rights = folder.standing.access.rights
        if child.sharing.contains(.granted) {
            rights.formUnion(try GrantTable.rights(of: caller, on: child.id, at: time.wall, db)?.rights ?? [])
        }
        var record = child.record(owner: folder.tree.owner)
        record.rights = rights
        return record
    }

    static var hidden: APIError { .notFound("there is nothing here that the caller may see") }

    /// A node that the caller may read, and what the caller is to it.
    struct Seen {
        let tree: TreeState
        let node: StoredNode
        let standing: Standing

        /// As the caller may see it.
        var record: NodeRecord {
            var record = node.record(owner: tree.owner)
            if !standing.access.isOwner { record.rights = standing.access.rights }
            return record
        }
    }

    /// The node and its tree, where the caller may do that to it. What is not there and what is hidden look alike. It
    /// may lie in the trash, or have lost its name: whoever has it open goes on reading. With `locking`, which whoever
    /// writes needs, the tree is the caller's until the transaction ends.
    func visible(
        _ id: NodeID,
        to caller: UserID,
        for act: Act = .see,
        locking: Bool = false,
        _ db: borrowing StoreConnection
    ) throws -> Seen {
        guard var node = try NodeTable.load(id, db),
            let tree = try locking ? TreeTable.lock(number: node.tree, db) : TreeTable.load(number: node.tree, db)
        else { throw Self.hidden }
        // What was read before the lock was had may be old by now.
        if locking, let again = try NodeTable.load(id, db) { node = again }
        let question = AccessTable.Question(tree: tree, caller: caller, now: time.wall, cache: access)
        let standing = try AccessTable.standing(of: node, question, db)
        switch standing.access.decide(act) {
        case .allowed: break
        case .hidden: throw Self.hidden
        case .refused: throw APIError.forbidden("the caller sees this and may not do that to it")
        }
        // A removal takes it from others, once those who had it open had time to end: of the thing itself, or of
        // whatever it lies in.
        guard standing.isOpen(at: question.now) else { throw Self.hidden }
        return Seen(tree: tree, node: node, standing: standing)
    }
}
