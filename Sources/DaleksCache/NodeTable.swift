public import DaleksCore
public import DaleksSQLite

/// Rows of `nodes`. Every function runs inside the caller's transaction.
public enum NodeTable {
    static let columns = """
        nodes.inode, nodes.id, nodes.kind, nodes.mode, nodes.uid, nodes.gid, nodes.atime, nodes.mtime, nodes.ctime, \
        nodes.size, nodes.links, nodes.revision, nodes.content, nodes.content_size, nodes.target, nodes.complete, \
        nodes.listed, nodes.stale, nodes.answered, nodes.device, nodes.xattrs, nodes.standing
        """

    private static let inodeQuery = SQL("SELECT \(columns) FROM nodes WHERE inode = ?1")
    private static let idQuery = SQL("SELECT \(columns) FROM nodes WHERE id = ?1")

    public static func find(_ inode: Inode, in db: borrowing Connection) throws -> LocalNode? {
        try db.withStatement(inodeQuery) { statement in
            try statement.bind(inode.column, at: 1)
            return try statement.step() ? try decode(statement, from: 0) : nil
        }
    }

    public static func find(_ id: NodeID, in db: borrowing Connection) throws -> LocalNode? {
        try db.withStatement(idQuery) { statement in
            try statement.bind(id, at: 1)
            return try statement.step() ? try decode(statement, from: 0) : nil
        }
    }

    /// Adds a row and tells the inode it got; the one in `node` is ignored unless it is the root's.
    public static func insert(_ node: LocalNode, in db: borrowing Connection) throws -> Inode {
        try db.withStatement(
            """
            INSERT INTO nodes (inode, id, kind, mode, uid, gid, atime, mtime, ctime, size, links, revision, content,
                               content_size, target, complete, listed, stale, answered,
                               device, xattrs, standing)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
                    ?21, ?22)
            """
        ) { statement in
            if node.inode == .root { try statement.bind(Int64(1), at: 1) } else { try statement.bindNull(at: 1) }
            try bind(node, to: statement)
            try statement.run()
        }
        return Inode(column: db.lastInsertRowID)
    }

    /// Writes every column of the row with this node's inode.
    public static func update(_ node: LocalNode, in db: borrowing Connection) throws {
        // The id hardly ever changes, and naming it would write its index anew.
        let isDone = try db.withStatement(
            """
            UPDATE nodes SET kind = ?3, mode = ?4, uid = ?5, gid = ?6, atime = ?7, mtime = ?8, ctime = ?9, size = ?10,
                   links = ?11, revision = ?12, content = ?13, content_size = ?14, target = ?15, complete = ?16,
                   listed = ?17, stale = ?18, answered = ?19, device = ?20, xattrs = ?21, standing = ?22
            WHERE inode = ?1 AND id = ?2
            """
        ) { statement in
            try statement.bind(node.inode.column, at: 1)
            try bind(node, to: statement)
            return try statement.run() == 1
        }
        guard !isDone else { return }
        let isThere = try db.execute(
            "UPDATE nodes SET id = ?2 WHERE inode = ?1",
            [.integer(node.inode.column), .id(node.id)]
        )
        if isThere == 1 { try update(node, in: db) }
    }

    /// Writes what changes of a folder when names in it do.
    public static func updateTimes(_ folder: LocalNode, in db: borrowing Connection) throws {
        try db.withStatement("UPDATE nodes SET mtime = ?2, ctime = ?3, links = ?4 WHERE inode = ?1") { statement in
            try statement.bind(folder.inode.column, at: 1)
            try statement.bind(folder.attributes.modified, at: 2)
            try statement.bind(folder.attributes.changed, at: 3)
            try statement.bind(Int64(folder.attributes.links), at: 4)
            try statement.run()
        }
    }

    /// Forgets a node that no entry names. Its spans and manifest go with it.
    public static func delete(_ inode: Inode, in db: borrowing Connection) throws {
        try db.execute("DELETE FROM nodes WHERE inode = ?1", [.integer(inode.column)])
    }

    /// How far the region's changes of a node are counted in, and which of ours were answered.
    public static func progress(
        of id: NodeID,
        in db: borrowing Connection
    ) throws -> (inode: Inode, revision: Int64, answered: Int64)? {
        try db.withStatement("SELECT inode, revision, answered FROM nodes WHERE id = ?1") { statement in
            try statement.bind(id, at: 1)
            guard try statement.step() else { return nil }
            let row = statement.row
            return (Inode(column: try row.int64(0)), try row.int64(1), try row.int64(2))
        }
    }

    public static func raiseRevision(of inode: Inode, to revision: Int64, in db: borrowing Connection) throws {
        try db.withStatement("UPDATE nodes SET revision = ?2 WHERE inode = ?1 AND revision < ?2") { statement in
            try statement.bind(inode.column, at: 1)
            try statement.bind(revision, at: 2)
            try statement.run()
        }
    }

    /// Notes that a step of ours on the node was answered.
    public static func raiseAnswered(_ inode: Inode, to revision: Int64, in db: borrowing Connection) throws {
        try db.withStatement("UPDATE nodes SET answered = ?2 WHERE inode = ?1 AND answered < ?2") { statement in
            try statement.bind(inode.column, at: 1)
            try statement.bind(revision, at: 2)
            try statement.run()
        }
    }

    /// Writes what the answer to a step of ours changes of a node.
    public static func updateNumbers(_ node: LocalNode, in db: borrowing Connection) throws {
        try db.withStatement(
            "UPDATE nodes SET revision = ?2, answered = ?3, content = ?4, content_size = ?5 WHERE inode = ?1"
        ) { statement in
            try statement.bind(node.inode.column, at: 1)
            try statement.bind(node.revision, at: 2)
            try statement.bind(node.answered, at: 3)
            try statement.bind(node.content, at: 4)
            try statement.bind(node.contentSize, at: 5)
            try statement.run()
        }
    }

    /// Nodes after an inode for which a remote change was held back, and of which nothing is pending any more: folders,
    /// or everything else.
    public static func staleAndSettled(
        isFolder: Bool,
        after inode: Inode?,
        limit: Int,
        in db: borrowing Connection
    ) throws -> [LocalNode] {
        try db.query(
            SQL(
                """
                SELECT \(columns) FROM nodes WHERE stale AND inode > ?2 AND (kind = 2) = ?3
                   AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.node = nodes.inode)
                   AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.parent = nodes.inode)
                   AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.other_parent = nodes.inode)
                   AND NOT EXISTS (SELECT 1 FROM spans WHERE spans.node = nodes.inode AND spans.state = 2)
                ORDER BY inode LIMIT ?1
                """
            ),
            [.integer(Int64(limit)), .integer(inode?.column ?? 0), .integer(isFolder ? 1 : 0)]
        ) { row in try decode(row) }
    }

    /// Makes nothing certain any more: the feed was lost, and everything has to be asked again. `withNumbers`: whatever
    /// the region says then is taken, by whatever number it goes.
    public static func distrustAll(withNumbers: Bool = false, in db: borrowing Connection) throws {
        if withNumbers { try db.execute("UPDATE nodes SET revision = 1, answered = 0 WHERE revision > 0") }
        try db.execute("UPDATE nodes SET complete = 0, listed = 0, stale = 1 WHERE kind = 2 AND revision > 0")
        try db.execute("UPDATE nodes SET stale = 1 WHERE kind <> 2 AND revision > 0")
    }

    /// Nodes of which something is known that has a number between these two.
    public static func known(
        between first: Int64,
        and end: Int64,
        in db: borrowing Connection
    ) throws -> [Inode] {
        try db.query(
            """
            SELECT inode FROM nodes WHERE (revision > ?1 AND revision < ?2) OR (answered > ?1 AND answered < ?2)
               OR (content > ?1 AND content < ?2)
            """,
            [.integer(first), .integer(end)]
        ) { row in Inode(column: try row.int64(0)) }
    }

    /// Folders whose names are known as of a moment between these two are asked for again.
    public static func distrustListings(
        between first: Int64,
        and end: Int64,
        in db: borrowing Connection
    ) throws {
        try db.execute(
            "UPDATE nodes SET stale = 1 WHERE kind = 2 AND listed > ?1 AND listed < ?2",
            [.integer(first), .integer(end)]
        )
    }

    /// Steps of ours that were answered with a number between these two are forgotten: news need not have them in.
    public static func forgetAnswers(
        between first: Int64,
        and end: Int64,
        in db: borrowing Connection
    ) throws {
        try db.execute(
            "UPDATE nodes SET answered = 0 WHERE answered > ?1 AND answered < ?2",
            [.integer(first), .integer(end)]
        )
    }

    /// Nodes of which no number is known, and that the journal does not make.
    public static func unnumbered(in db: borrowing Connection) throws -> [Inode] {
        try db.query(
            """
            SELECT inode FROM nodes WHERE revision = 0 AND inode <> 1
               AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.node = nodes.inode AND journal.kind = 1)
            """,
            []
        ) { row in Inode(column: try row.int64(0)) }
    }

    /// Nodes whose last name went while they were open, or whose daemon died then: nothing can reach them. In order.
    public static func unreachable(
        after inode: Inode = .root,
        limit: Int,
        in db: borrowing Connection
    ) throws -> [Inode] {
        try db.query(
            """
            SELECT inode FROM nodes WHERE inode > ?2
               AND NOT EXISTS (SELECT 1 FROM entries WHERE entries.node = nodes.inode)
               AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.node = nodes.inode)
               AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.replaced = nodes.inode)
            ORDER BY inode LIMIT ?1
            """,
            [.integer(Int64(limit)), .integer(inode.column)]
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

    // MARK: Columns

    static func decode(_ row: borrowing Row) throws -> LocalNode { try decode(row, from: 0) }

    /// The columns above, which begin at `first`.
    static func decode(_ row: borrowing Row, from first: Int) throws -> LocalNode {
        let code = try row.int64(first + 2)
        guard let kind = NodeKind(rawValue: UInt8(truncatingIfNeeded: code)) else { throw unknownKind }
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
                links: UInt32(truncatingIfNeeded: try row.int64(first + 10)),
                device: UInt32(truncatingIfNeeded: try row.int64(first + 19))
            ),
            revision: try row.int64(first + 11),
            answered: try row.int64(first + 18),
            content: try row.int64(first + 12),
            contentSize: try row.int64(first + 13),
            target: try row.optionalBlob(first + 14),
            isComplete: try row.int64(first + 15) != 0,
            listed: try row.int64(first + 16),
            isStale: try row.int64(first + 17) != 0,
            extended: try extended(try row.optionalBlob(first + 20)),
            standing: LocalStanding(column: try row.int64(first + 21))
        )
    }

    static func decode(_ statement: borrowing Statement, from first: Int) throws -> LocalNode {
        try decode(statement.row, from: first)
    }

    private static var unknownKind: SQLiteError { SQLiteError(.corrupt, "a node of an unknown kind", sql: "nodes") }

    private static func extended(_ bytes: [UInt8]?) throws -> ExtendedAttributes {
        guard let bytes else { return ExtendedAttributes() }
        guard let extended = ExtendedAttributes(encoded: bytes) else {
            throw SQLiteError(.corrupt, "extended attributes that cannot be read", sql: "nodes")
        }
        return extended
    }

    /// Everything but the inode.
    private static func bind(_ node: LocalNode, to statement: borrowing Statement) throws {
        let attributes = node.attributes
        try statement.bind(node.id, at: 2)
        try statement.bind(Int64(attributes.kind.rawValue), at: 3)
        try statement.bind(Int64(attributes.mode), at: 4)
        try statement.bind(Int64(attributes.uid), at: 5)
        try statement.bind(Int64(attributes.gid), at: 6)
        try statement.bind(attributes.accessed, at: 7)
        try statement.bind(attributes.modified, at: 8)
        try statement.bind(attributes.changed, at: 9)
        try statement.bind(attributes.size, at: 10)
        try statement.bind(Int64(attributes.links), at: 11)
        try statement.bind(node.revision, at: 12)
        try statement.bind(node.content, at: 13)
        try statement.bind(node.contentSize, at: 14)
        if let target = node.target { try statement.bind(target, at: 15) } else { try statement.bindNull(at: 15) }
        try statement.bind(node.isComplete, at: 16)
        try statement.bind(node.listed, at: 17)
        try statement.bind(node.isStale, at: 18)
        try statement.bind(node.answered, at: 19)
        try statement.bind(Int64(attributes.device), at: 20)
        if node.extended.isEmpty {
            try statement.bindNull(at: 21)
        } else {
            try statement.bind(node.extended.encoded, at: 21)
        }
        try statement.bind(node.standing.column, at: 22)
    }
}
