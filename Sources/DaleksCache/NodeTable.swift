public import DaleksCore
public import DaleksSQLite

/// Rows of `nodes`. Every function runs inside the caller's transaction.
public enum NodeTable {
    static let columns = """
        nodes.inode, nodes.id, nodes.kind, nodes.mode, nodes.uid, nodes.gid, nodes.atime, nodes.mtime, nodes.ctime, \
        nodes.size, nodes.links, nodes.revision, nodes.content, nodes.content_size, nodes.target, nodes.complete, \
        nodes.listed, nodes.stale
        """

    private static let inodeQuery = SQL("SELECT \(columns) FROM nodes WHERE inode = ?1")
    private static let idQuery = SQL("SELECT \(columns) FROM nodes WHERE id = ?1")

    public static func find(_ inode: Inode, in db: borrowing Connection) throws -> LocalNode? {
        try db.first(inodeQuery, [.integer(inode.column)], decode)
    }

    public static func find(_ id: NodeID, in db: borrowing Connection) throws -> LocalNode? {
        try db.first(idQuery, [.id(id)], decode)
    }

    /// Adds a row and tells the inode it got; the one in `node` is ignored unless it is the root's.
    public static func insert(_ node: LocalNode, in db: borrowing Connection) throws -> Inode {
        let inode: Value = node.inode == .root ? .integer(1) : .null
        try db.execute(
            """
            INSERT INTO nodes (inode, id, kind, mode, uid, gid, atime, mtime, ctime, size, links, revision, content,
                               content_size, target, complete, listed, stale)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
            """,
            [inode] + values(of: node)
        )
        return Inode(column: db.lastInsertRowID)
    }

    /// Writes every column of the row with this node's inode.
    public static func update(_ node: LocalNode, in db: borrowing Connection) throws {
        try db.execute(
            """
            UPDATE nodes SET id = ?2, kind = ?3, mode = ?4, uid = ?5, gid = ?6, atime = ?7, mtime = ?8, ctime = ?9,
                   size = ?10, links = ?11, revision = ?12, content = ?13, content_size = ?14, target = ?15,
                   complete = ?16, listed = ?17, stale = ?18
            WHERE inode = ?1
            """,
            [.integer(node.inode.column)] + values(of: node)
        )
    }

    /// Forgets a node that no entry names. Its spans and manifest go with it.
    public static func delete(_ inode: Inode, in db: borrowing Connection) throws {
        try db.execute("DELETE FROM nodes WHERE inode = ?1", [.integer(inode.column)])
    }

    /// Nodes for which a remote change was held back and of which no operation is pending any more.
    public static func staleAndSettled(limit: Int, in db: borrowing Connection) throws -> [LocalNode] {
        try db.query(
            SQL(
                """
                SELECT \(columns) FROM nodes WHERE stale
                   AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.node = nodes.inode)
                   AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.parent = nodes.inode)
                   AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.other_parent = nodes.inode)
                LIMIT ?1
                """
            ),
            [.integer(Int64(limit))],
            decode
        )
    }

    /// Makes nothing certain any more: the feed was lost, and everything has to be asked again.
    public static func distrustAll(in db: borrowing Connection) throws {
        try db.execute("UPDATE nodes SET complete = 0, listed = 0, stale = 1 WHERE kind = 2 AND revision > 0")
        try db.execute("UPDATE nodes SET stale = 1 WHERE kind <> 2 AND revision > 0")
    }

    /// Nodes whose last name went while they were open, or whose daemon died then: nothing can reach them.
    public static func unreachable(limit: Int, in db: borrowing Connection) throws -> [Inode] {
        try db.query(
            """
            SELECT inode FROM nodes WHERE inode <> 1
               AND NOT EXISTS (SELECT 1 FROM entries WHERE entries.node = nodes.inode)
               AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.node = nodes.inode)
               AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.replaced = nodes.inode)
            LIMIT ?1
            """,
            [.integer(Int64(limit))]
        ) { row in Inode(column: try row.int64(0)) }
    }

    public static func exists(_ inode: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM nodes WHERE inode = ?1", [.integer(inode.column)])
    }

    /// The last inode that was given.
    public static func newest(in db: borrowing Connection) throws -> Inode {
        let last = try db.first("SELECT seq FROM sqlite_sequence WHERE name = 'nodes'", []) { row in try row.int64(0) }
        return Inode(column: last ?? 1)
    }

    static func decode(_ row: borrowing Row) throws -> LocalNode {
        try decode(row, from: 0)
    }

    static func decode(_ row: borrowing Row, from first: Int) throws -> LocalNode {
        guard let kind = NodeKind(rawValue: UInt8(truncatingIfNeeded: try row.int64(first + 2))) else {
            throw SQLiteError(.corrupt, "a node of an unknown kind", sql: "nodes")
        }
        return LocalNode(
            inode: Inode(column: try row.int64(first)),
            id: try row.identifier(first + 1),
            attributes: Attributes(
                kind: kind,
                mode: UInt32(truncatingIfNeeded: try row.int64(first + 3)),
                uid: UInt32(truncatingIfNeeded: try row.int64(first + 4)),
                gid: UInt32(truncatingIfNeeded: try row.int64(first + 5)),
                accessed: Timestamp(nanoseconds: try row.int64(first + 6)),
                modified: Timestamp(nanoseconds: try row.int64(first + 7)),
                changed: Timestamp(nanoseconds: try row.int64(first + 8)),
                size: try row.int64(first + 9),
                links: UInt32(truncatingIfNeeded: try row.int64(first + 10))
            ),
            revision: try row.int64(first + 11),
            content: try row.int64(first + 12),
            contentSize: try row.int64(first + 13),
            target: try row.optionalBlob(first + 14),
            isComplete: try row.int64(first + 15) != 0,
            listed: try row.int64(first + 16),
            isStale: try row.int64(first + 17) != 0
        )
    }

    private static func values(of node: LocalNode) -> [Value] {
        let attributes = node.attributes
        return [
            .id(node.id),
            .integer(Int64(attributes.kind.rawValue)),
            .integer(Int64(attributes.mode)),
            .integer(Int64(attributes.uid)),
            .integer(Int64(attributes.gid)),
            .time(attributes.accessed),
            .time(attributes.modified),
            .time(attributes.changed),
            .integer(attributes.size),
            .integer(Int64(attributes.links)),
            .integer(node.revision),
            .integer(node.content),
            .integer(node.contentSize),
            node.target.map { .blob($0) } ?? .null,
            .integer(node.isComplete ? 1 : 0),
            .integer(node.listed),
            .integer(node.isStale ? 1 : 0),
        ]
    }
}
