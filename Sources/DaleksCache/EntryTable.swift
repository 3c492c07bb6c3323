public import DaleksCore
public import DaleksSQLite

/// Rows of `entries`: names in folders.
public enum EntryTable {
    public static func find(
        _ name: Name,
        in parent: Inode,
        _ db: borrowing Connection
    ) throws -> LocalNode? {
        try db.first(
            SQL(
                """
                SELECT \(NodeTable.columns) FROM entries JOIN nodes ON nodes.inode = entries.node
                WHERE entries.parent = ?1 AND entries.name = ?2
                """
            ),
            [.integer(parent.column), .name(name)],
            NodeTable.decode
        )
    }

    public static func insert(
        _ name: Name,
        in parent: Inode,
        node: Inode,
        _ db: borrowing Connection
    ) throws {
        try db.execute(
            "INSERT INTO entries (parent, name, node) VALUES (?1, ?2, ?3)",
            [.integer(parent.column), .name(name), .integer(node.column)]
        )
    }

    public static func delete(_ name: Name, in parent: Inode, _ db: borrowing Connection) throws {
        try db.execute(
            "DELETE FROM entries WHERE parent = ?1 AND name = ?2",
            [.integer(parent.column), .name(name)]
        )
    }

    /// A page of the folder in the order of positions, starting after `position`.
    public static func page(
        of parent: Inode,
        after position: Int64,
        limit: Int,
        _ db: borrowing Connection
    ) throws -> [LocalEntry] {
        try db.query(
            SQL(
                """
                SELECT entries.position, entries.name, \(NodeTable.columns)
                FROM entries JOIN nodes ON nodes.inode = entries.node
                WHERE entries.parent = ?1 AND entries.position > ?2 ORDER BY entries.position LIMIT ?3
                """
            ),
            [.integer(parent.column), .integer(position), .integer(Int64(limit))]
        ) { row in
            LocalEntry(position: try row.int64(0), name: try row.name(1), node: try NodeTable.decode(row, from: 2))
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
}
