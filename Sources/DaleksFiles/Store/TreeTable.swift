import DaleksAPI
import DaleksCore
import DaleksSQLite

/// `trees`: one row an owner.
enum TreeTable {
    static func load(owner: UserID, _ db: borrowing StoreConnection) throws -> TreeState? {
        try db.first(
            """
            SELECT number, owner, root, epoch, sequence, feed_floor, bytes_used, files_used, bytes_quota,
                access_version, versions_bytes, trash_bytes, setbacks
            FROM trees WHERE owner = ?1
            """,
            [.id(owner)],
            state
        )
    }

    static func load(number: TreeNumber, _ db: borrowing StoreConnection) throws -> TreeState? {
        try db.first(
            """
            SELECT number, owner, root, epoch, sequence, feed_floor, bytes_used, files_used, bytes_quota,
                access_version, versions_bytes, trash_bytes, setbacks
            FROM trees WHERE number = ?1
            """,
            [.integer(number)],
            state
        )
    }

    /// As `load`; whoever wants to change the tree waits here for its turn. On SQLite every writer has had to wait.
    static func lock(number: TreeNumber, _ db: borrowing StoreConnection) throws -> TreeState? {
        db.willChange(number)
        guard db.isPostgres else { return try load(number: number, db) }
        return try db.first(
            """
            SELECT number, owner, root, epoch, sequence, feed_floor, bytes_used, files_used, bytes_quota,
                access_version, versions_bytes, trash_bytes, setbacks
            FROM trees WHERE number = ?1 FOR UPDATE
            """,
            [.integer(number)],
            state
        )
    }

    /// Several at once, in one order, so that two who do this do not wait for each other in a ring.
    static func lock(_ numbers: Set<TreeNumber>, _ db: borrowing StoreConnection) throws {
        for number in numbers.sorted() {
            db.willChange(number)
            if db.isPostgres { _ = try lock(number: number, db) }
        }
    }

    private static func state(_ row: borrowing StoreStatement) throws -> TreeState {
        var state = TreeState(
            number: try row.int64(0),
            owner: try row.identifier(1),
            root: try row.identifier(2),
            epoch: try row.int64(3),
            sequence: try row.int64(4),
            feedFloor: try row.int64(5),
            bytesUsed: try row.int64(6),
            filesUsed: try row.int64(7),
            bytesQuota: try row.optionalInt64(8)
        )
        state.accessVersion = try row.int64(9)
        state.versionsBytes = try row.int64(10)
        state.trashBytes = try row.int64(11)
        guard let setbacks = Setbacks(try row.text(12)) else { throw RecordError(record: "tree") }
        state.setbacks = setbacks
        return state
    }

    /// An empty tree: a root that belongs to nobody in particular until its owner says otherwise. Nil where the owner
    /// got one meanwhile.
    static func create(
        owner: UserID,
        root: NodeID,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> TreeState? {
        let number = try db.first(
            """
            INSERT INTO trees (owner, root, epoch, sequence, feed_floor, bytes_used, files_used)
            VALUES (?1, ?2, 1, 0, 0, 0, 0) ON CONFLICT (owner) DO NOTHING RETURNING number
            """,
            [.id(owner), .id(root)]
        ) { try $0.int64(0) }
        guard let number else { return nil }
        let state = TreeState(
            number: number,
            owner: owner,
            root: root,
            epoch: 1,
            sequence: 0,
            feedFloor: 0,
            bytesUsed: 0,
            filesUsed: 0,
            bytesQuota: nil
        )
        let attributes = Attributes(
            kind: .folder,
            mode: 0o755,
            uid: 0,
            gid: 0,
            accessed: time,
            modified: time,
            changed: time,
            size: 0,
            links: 2
        )
        try NodeTable.save(
            StoredNode(id: root, tree: state.number, attributes: attributes, revision: 0, content: 0, made: time),
            db
        )
        return state
    }

    static func save(_ state: TreeState, _ db: borrowing StoreConnection) throws {
        db.willChange(state.number)
        try db.execute(
            """
            UPDATE trees SET epoch = ?2, sequence = ?3, feed_floor = ?4, bytes_used = ?5, files_used = ?6,
                bytes_quota = ?7, access_version = ?8, versions_bytes = ?9, trash_bytes = ?10
            WHERE number = ?1
            """,
            [
                .integer(state.number), .integer(state.epoch), .integer(state.sequence), .integer(state.feedFloor),
                .integer(state.bytesUsed), .integer(state.filesUsed), .optional(state.bytesQuota),
                .integer(state.accessVersion), .integer(state.versionsBytes), .integer(state.trashBytes),
            ]
        )
    }

    /// Notes that the tree came back from a backup.
    static func saveReturn(of state: TreeState, _ db: borrowing StoreConnection) throws {
        db.willChange(state.number)
        try db.execute(
            "UPDATE trees SET epoch = ?2, sequence = ?3, setbacks = ?4 WHERE number = ?1",
            [
                .integer(state.number), .integer(state.epoch), .integer(state.sequence),
                .text(state.setbacks.description),
            ]
        )
    }

    static func numbers(_ db: borrowing StoreConnection) throws -> [TreeNumber] {
        try db.query("SELECT number FROM trees") { try $0.int64(0) }
    }
}
