public import DaleksSQLite

/// Which spans of which files are here.
public enum ContentTable {
    /// The raw values are on disk: never renumber. A span without a row is absent.
    public enum State: Int64, Sendable {
        /// The same bytes as the region's content of the node.
        case clean = 1
        /// Written here and not acknowledged by the region.
        case dirty = 2
    }

    public static func states(
        of node: Inode,
        in db: borrowing Connection
    ) throws -> [(span: Int, state: State)] {
        try db.query(
            "SELECT span, state FROM spans WHERE node = ?1 ORDER BY span",
            [.integer(node.column)]
        ) { row in
            guard let state = State(rawValue: try row.int64(1)) else {
                throw SQLiteError(.corrupt, "a span in an unknown state", sql: "spans")
            }
            return (Int(try row.int64(0)), state)
        }
    }

    public static func set(
        _ state: State,
        spans: some Sequence<Int>,
        of node: Inode,
        in db: borrowing Connection
    ) throws {
        for span in spans {
            try db.execute(
                """
                INSERT INTO spans (node, span, state) VALUES (?1, ?2, ?3)
                ON CONFLICT (node, span) DO UPDATE SET state = excluded.state
                """,
                [.integer(node.column), .integer(Int64(span)), .integer(state.rawValue)]
            )
        }
    }

    /// Everything that is here was written here now, as far as the region is concerned.
    public static func dirtyAll(of node: Inode, in db: borrowing Connection) throws {
        try db.execute("UPDATE spans SET state = 2 WHERE node = ?1", [.integer(node.column)])
    }

    /// Forgets spans from an index on: the file was cut there.
    public static func drop(from span: Int, of node: Inode, in db: borrowing Connection) throws {
        try db.execute(
            "DELETE FROM spans WHERE node = ?1 AND span >= ?2",
            [.integer(node.column), .integer(Int64(span))]
        )
    }

    /// Forgets what is clean: the region has newer bytes, or the space is wanted.
    public static func dropClean(of node: Inode, in db: borrowing Connection) throws {
        try db.execute("DELETE FROM spans WHERE node = ?1 AND state = 1", [.integer(node.column)])
    }

    /// Whether bytes were written here that the region has not acknowledged.
    public static func isDirty(_ node: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM spans WHERE node = ?1 AND state = 2 LIMIT 1", [.integer(node.column)])
    }

    public static func dirtyNodes(in db: borrowing Connection) throws -> [Inode] {
        try db.query("SELECT DISTINCT node FROM spans WHERE state = 2", []) { row in Inode(column: try row.int64(0)) }
    }
}
