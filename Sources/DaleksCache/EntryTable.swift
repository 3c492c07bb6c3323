public import DaleksCore
public import DaleksSQLite

/// Rows of `entries`: names in folders.
public enum EntryTable {
    private static let nameQuery = SQL(
        """
        SELECT \(NodeTable.columns) FROM entries JOIN nodes ON nodes.inode = entries.node
        WHERE entries.parent = ?1 AND entries.name = ?2
        """
    )
    private static let pageQuery = SQL(
        """
        SELECT entries.position, entries.name, \(NodeTable.columns)
        FROM entries JOIN nodes ON nodes.inode = entries.node
        WHERE entries.parent = ?1 AND entries.position > ?2 ORDER BY entries.position LIMIT ?3
        """
    )

    public static func find(
        _ name: Name,
        in parent: Inode,
        _ db: borrowing Connection
    ) throws -> LocalNode? {
        try db.withStatement(nameQuery) { statement in
            try statement.bind(parent.column, at: 1)
            try statement.bind(name, at: 2)
            return try statement.step() ? try NodeTable.decode(statement, from: 0) : nil
        }
    }

    /// Whether the name is taken, without reading what it names.
    public static func isTaken(_ name: Name, in parent: Inode, _ db: borrowing Connection) throws -> Bool {
        try db.withStatement("SELECT 1 FROM entries WHERE parent = ?1 AND name = ?2") { statement in
            try statement.bind(parent.column, at: 1)
            try statement.bind(name, at: 2)
            return try statement.step()
        }
    }

    public static func insert(
        _ name: Name,
        in parent: Inode,
        node: Inode,
        _ db: borrowing Connection
    ) throws {
        try db.withStatement("INSERT INTO entries (parent, name, node) VALUES (?1, ?2, ?3)") { statement in
            try statement.bind(parent.column, at: 1)
            try statement.bind(name, at: 2)
            try statement.bind(node.column, at: 3)
            try statement.run()
        }
    }

    public static func delete(_ name: Name, in parent: Inode, _ db: borrowing Connection) throws {
        try db.withStatement("DELETE FROM entries WHERE parent = ?1 AND name = ?2") { statement in
            try statement.bind(parent.column, at: 1)
            try statement.bind(name, at: 2)
            try statement.run()
        }
    }

    /// A page of the folder in the order of positions, starting after `position`.
    public static func page(
        of parent: Inode,
        after position: Int64,
        limit: Int,
        _ db: borrowing Connection
    ) throws -> [LocalEntry] {
        try db.withStatement(pageQuery) { statement in
            try statement.bind(parent.column, at: 1)
            try statement.bind(position, at: 2)
            try statement.bind(limit, at: 3)
            var page: [LocalEntry] = []
            page.reserveCapacity(min(limit, 128))
            while try statement.step() {
                page.append(
                    LocalEntry(
                        position: try statement.int64(0),
                        name: try statement.name(1),
                        node: try NodeTable.decode(statement, from: 2)
                    )
                )
            }
            return page
        }
    }

    public static func isEmpty(_ parent: Inode, _ db: borrowing Connection) throws -> Bool {
        try !db.exists("SELECT 1 FROM entries WHERE parent = ?1 LIMIT 1", [.integer(parent.column)])
    }

    /// Empties a folder and tells what was in it.
    public static func removeAll(in parent: Inode, _ db: borrowing Connection) throws -> [Inode] {
        let members = try db.query("SELECT node FROM entries WHERE parent = ?1", [.integer(parent.column)]) { row in
            Inode(column: try row.int64(0))
        }
        try db.execute("DELETE FROM entries WHERE parent = ?1", [.integer(parent.column)])
        return members
    }

    /// Whether any name stands for the node.
    public static func isNamed(_ node: Inode, _ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM entries WHERE node = ?1 LIMIT 1", [.integer(node.column)])
    }

    /// Where a node stands: every (folder, name) that names it.
    public static func places(
        of node: Inode,
        _ db: borrowing Connection
    ) throws -> [(parent: Inode, name: Name)] {
        try db.query(
            "SELECT parent, name FROM entries WHERE node = ?1",
            [.integer(node.column)]
        ) { row in (Inode(column: try row.int64(0)), try row.name(1)) }
    }

    /// The oldest of its names: in which folder, and where in that.
    public static func firstPlace(
        of node: Inode,
        _ db: borrowing Connection
    ) throws -> (parent: Inode, position: Int64)? {
        try db.first(
            "SELECT parent, position FROM entries WHERE node = ?1 ORDER BY position LIMIT 1",
            [.integer(node.column)]
        ) { row in (Inode(column: try row.int64(0)), try row.int64(1)) }
    }

    /// How many links a file has that lost a name just now. No fewer than it has names here: what the region says of
    /// its links may not have been taken in yet, and a file that counts as nobody's is not sent any more.
    public static func linksLeft(of node: LocalNode, _ db: borrowing Connection) throws -> UInt32 {
        let links = node.attributes.links
        return links > 1 ? links - 1 : UInt32(clamping: try places(of: node.inode, db).count)
    }

    public static func conflictCount(_ db: borrowing Connection) throws -> Int64 {
        try db.first(
            "SELECT count(*) FROM entries WHERE instr(name, x'2028636f6e666c6963742066726f6d20')",
            [],
            { row in try row.int64(0) }
        ) ?? 0
    }

    /// What bears the mark of a conflict in its name, by node. The condition is that of the index, word for word.
    public static func conflicts(
        limit: Int,
        _ db: borrowing Connection
    ) throws -> [(parent: Inode, name: Name, node: Inode)] {
        try db.query(
            """
            SELECT parent, name, node FROM entries WHERE instr(name, x'2028636f6e666c6963742066726f6d20')
            ORDER BY node LIMIT ?1
            """,
            [.integer(Int64(limit))]
        ) { row in (Inode(column: try row.int64(0)), try row.name(1), Inode(column: try row.int64(2))) }
    }
}
