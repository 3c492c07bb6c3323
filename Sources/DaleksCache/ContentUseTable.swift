public import DaleksCore
public import DaleksSQLite

/// When files were last used, and which must stay.
public enum ContentUseTable {
    public static func note(_ used: Timestamp, of node: Inode, in db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO uses (node, used, pinned) SELECT ?1, ?2, 0 FROM nodes WHERE inode = ?1
            ON CONFLICT (node) DO UPDATE SET used = excluded.used
            """,
            [.integer(node.column), .time(used)]
        )
    }

    public static func pin(_ isPinned: Bool, _ node: Inode, in db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO uses (node, used, pinned) VALUES (?1, 0, ?2)
            ON CONFLICT (node) DO UPDATE SET pinned = excluded.pinned
            """,
            [.integer(node.column), .bool(isPinned)]
        )
    }

    /// Whether a folder above the node is pinned; then the node is from now on.
    public static func inheritPin(_ node: Inode, in db: borrowing Connection) throws -> Bool {
        var (current, depth) = (node, 0)
        while current != .root, depth < Limits.pathBytesMax, let place = try EntryTable.places(of: current, db).first {
            if try isPinned(place.parent, in: db) {
                try pin(true, node, in: db)
                return true
            }
            (current, depth) = (place.parent, depth + 1)
        }
        return false
    }

    public static func isPinned(_ node: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM uses WHERE node = ?1 AND pinned", [.integer(node.column)])
    }
}
