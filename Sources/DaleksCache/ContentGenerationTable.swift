public import DaleksCore
public import DaleksSQLite

/// What recovery may vouch for after a power cut.
///
/// The index may reach the disk before the bytes that it speaks of: nothing keeps the kernel from writing the log back
/// early. So whatever the index says of content carries a generation, and the log says "vouched up to g" only after
/// every byte of those generations was made durable. What is younger than that, recovery does not believe.
public enum ContentGenerationTable {
    /// A file's size changed in this generation. What it was when it was last vouched for is kept until it is again; a
    /// cut below that lowers it.
    public static func noteSize(
        of node: Inode,
        from old: Int64,
        to new: Int64,
        generation: Int64,
        vouched: Int64,
        in db: borrowing Connection
    ) throws {
        try db.withStatement(
            """
            INSERT INTO contents (node, generation, kept_size) VALUES (?1, ?2, min(?3, ?4))
            ON CONFLICT (node) DO UPDATE SET generation = ?2,
                kept_size = CASE WHEN generation <= ?5 THEN min(?3, ?4) ELSE min(kept_size, ?4) END
            """
        ) { statement in
            try statement.bind(node.column, at: 1)
            try statement.bind(generation, at: 2)
            try statement.bind(old, at: 3)
            try statement.bind(new, at: 4)
            try statement.bind(vouched, at: 5)
            try statement.run()
        }
    }

    /// The size that is vouched for, where the one in the tree is not.
    public static func keptSize(of node: Inode, vouched: Int64, in db: borrowing Connection) throws -> Int64? {
        try db.first(
            "SELECT kept_size FROM contents WHERE node = ?1 AND generation > ?2",
            [.integer(node.column), .integer(vouched)]
        ) { row in try row.int64(0) }
    }

    /// Dirty spans of a node that are not vouched for.
    public static func doubtful(of node: Inode, vouched: Int64, in db: borrowing Connection) throws -> [Int] {
        try db.query(
            "SELECT span FROM spans WHERE node = ?1 AND state = 2 AND generation > ?2 ORDER BY span",
            [.integer(node.column), .integer(vouched)]
        ) { row in Int(try row.int64(0)) }
    }

    /// Nodes of which something is not vouched for.
    public static func doubtfulNodes(vouched: Int64, in db: borrowing Connection) throws -> [Inode] {
        try db.query(
            """
            SELECT node FROM spans WHERE state = 2 AND generation > ?1
            UNION SELECT node FROM contents WHERE generation > ?1
            """,
            [.integer(vouched)]
        ) { row in Inode(column: try row.int64(0)) }
    }

    /// What `contents` says of a file.
    public struct Note: Sendable {
        /// In which its size was told last.
        public var generation: Int64 = 0
        /// Where the region's content `cutContent` was cut, which reached to `cutFrom`.
        public var cutContent: Revision = 0
        public var cutFrom: Int64 = 0

        public init() {}

        /// How far the region's content reached when the file was cut; 0 where it was not.
        public func cut(of content: Revision) -> Int64 { cutContent == content ? cutFrom : 0 }
    }

    public static func note(of node: Inode, in db: borrowing Connection) throws -> Note {
        try db.withStatement("SELECT generation, cut_content, cut_from FROM contents WHERE node = ?1") { statement in
            try statement.bind(node.column, at: 1)
            var note = Note()
            guard try statement.step() else { return note }
            note.generation = try statement.int64(0)
            note.cutContent = try statement.int64(1)
            note.cutFrom = try statement.int64(2)
            return note
        }
    }

    /// The youngest generation that the index speaks of.
    public static func last(in db: borrowing Connection) throws -> Int64 {
        let spans = try db.first("SELECT coalesce(max(generation), 0) FROM spans", []) { try $0.int64(0) } ?? 0
        let sizes = try db.first("SELECT coalesce(max(generation), 0) FROM contents", []) { try $0.int64(0) } ?? 0
        return max(spans, sizes)
    }

    /// The file was cut below what the region's `content` of it has, which reached to `size`: if it grows again, what
    /// lies between is zeros, and the region must be told so.
    public static func noteCut(
        of node: Inode,
        content: Revision,
        from size: Int64,
        in db: borrowing Connection
    ) throws {
        try db.execute(
            """
            INSERT INTO contents (node, generation, kept_size, cut_content, cut_from) VALUES (?1, 0, 0, ?2, ?3)
            ON CONFLICT (node) DO UPDATE SET cut_content = ?2,
                cut_from = CASE WHEN cut_content = ?2 THEN max(cut_from, ?3) ELSE ?3 END
            """,
            [.integer(node.column), .integer(content), .integer(size)]
        )
    }

    /// The backing file is cut to that size next; the tables say so already.
    public static func noteCutDue(of node: Inode, to size: Int64, in db: borrowing Connection) throws {
        try db.execute(
            "UPDATE contents SET cut_due = ?2 WHERE node = ?1",
            [.integer(node.column), .integer(size)]
        )
    }

    /// It is cut, and may grow again.
    public static func noteCutDone(of node: Inode, in db: borrowing Connection) throws {
        try db.execute("UPDATE contents SET cut_due = NULL WHERE node = ?1", [.integer(node.column)])
    }

    /// Files whose backing file may be longer than it should be, and what it should be cut to.
    public static func cutsDue(in db: borrowing Connection) throws -> [(node: Inode, size: Int64)] {
        try db.query("SELECT node, cut_due FROM contents WHERE cut_due IS NOT NULL", []) { row in
            (Inode(column: try row.int64(0)), try row.int64(1))
        }
    }
}
