public import DaleksCore
public import DaleksSQLite

/// Which spans of which files are here.
///
/// A dirty span carries the generation in which it was marked: see `ContentGenerationTable`.
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
        ) { row in (Int(try row.int64(0)), try state(try row.int64(1))) }
    }

    /// The same, and the youngest generation in which a span was marked dirty.
    public static func spans(
        of node: Inode,
        in db: borrowing Connection
    ) throws -> (states: [(span: Int, state: State)], generation: Int64) {
        try db.withStatement("SELECT span, state, generation FROM spans WHERE node = ?1 ORDER BY span") { statement in
            try statement.bind(node.column, at: 1)
            var (states, youngest): ([(span: Int, state: State)], Int64) = ([], 0)
            while try statement.step() {
                let state = try state(try statement.int64(1))
                states.append((Int(try statement.int64(0)), state))
                if state == .dirty { youngest = max(youngest, try statement.int64(2)) }
            }
            return (states, youngest)
        }
    }

    private static func state(_ raw: Int64) throws(SQLiteError) -> State {
        guard let state = State(rawValue: raw) else {
            throw SQLiteError(.corrupt, "a span in an unknown state", sql: "spans")
        }
        return state
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
                ON CONFLICT (node, span) DO UPDATE SET state = excluded.state, digest = NULL
                """,
                [.integer(node.column), .integer(Int64(span)), .integer(state.rawValue)]
            )
        }
    }

    private static let markQuery = SQL(
        """
        INSERT INTO spans (node, span, state, generation) VALUES (?1, ?2, 2, ?3)
        ON CONFLICT (node, span) DO UPDATE SET state = 2, digest = NULL, generation = excluded.generation
        """
    )

    /// Before the first byte of a write goes into them.
    public static func mark(
        spans: some Sequence<Int>,
        of node: Inode,
        generation: Int64,
        in db: borrowing Connection
    ) throws {
        try db.withStatement(markQuery) { statement in
            for span in spans {
                try statement.bind(node.column, at: 1)
                try statement.bind(span, at: 2)
                try statement.bind(generation, at: 3)
                try statement.run()
            }
        }
    }

    /// A span that holds the region's bytes, and what they hash to, so that they can be checked without the region.
    public static func fill(
        _ span: Int,
        digest: Digest?,
        of node: Inode,
        in db: borrowing Connection
    ) throws {
        try db.execute(
            """
            INSERT INTO spans (node, span, state, digest) VALUES (?1, ?2, 1, ?3)
            ON CONFLICT (node, span) DO UPDATE SET state = 1, digest = excluded.digest
            """,
            [.integer(node.column), .integer(Int64(span)), .optional(digest)]
        )
    }

    /// What the clean bytes of a span must hash to; nil where nobody noted it.
    public static func digest(of span: Int, of node: Inode, in db: borrowing Connection) throws -> Digest? {
        let bytes = try db.first(
            "SELECT digest FROM spans WHERE node = ?1 AND span = ?2 AND state = 1",
            [.integer(node.column), .integer(Int64(span))]
        ) { row in try row.optionalBlob(0) }
        return (bytes ?? nil).flatMap { Digest(bytes: $0) }
    }

    /// Everything that is here was written here now, as far as the region is concerned.
    public static func dirtyAll(of node: Inode, in db: borrowing Connection) throws {
        try db.execute("UPDATE spans SET state = 2, digest = NULL WHERE node = ?1", [.integer(node.column)])
    }

    /// Forgets spans from an index on: the file was cut there.
    public static func drop(from span: Int, of node: Inode, in db: borrowing Connection) throws {
        try db.execute(
            "DELETE FROM spans WHERE node = ?1 AND span >= ?2",
            [.integer(node.column), .integer(Int64(span))]
        )
    }

    public static func drop(spans: some Sequence<Int>, of node: Inode, in db: borrowing Connection) throws {
        for span in spans {
            try db.execute(
                "DELETE FROM spans WHERE node = ?1 AND span = ?2",
                [.integer(node.column), .integer(Int64(span))]
            )
        }
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

    /// How much space files take here: whole spans, so never less than it is but for the last ones.
    public static func bytesHere(in db: borrowing Connection) throws -> Int64 {
        try db.first(
            """
            SELECT total(min(?1, max(0, nodes.size - span * ?1))) FROM spans JOIN nodes ON nodes.inode = spans.node
            """,
            [.integer(Int64(Limits.spanBytes))]
        ) { row in Int64(try row.double(0)) } ?? 0
    }

    /// How much of it the region does not have.
    public static func bytesUnsent(in db: borrowing Connection) throws -> Int64 {
        try db.first(
            """
            SELECT total(min(?1, max(0, nodes.size - span * ?1))) FROM spans JOIN nodes ON nodes.inode = spans.node
            WHERE state = 2
            """,
            [.integer(Int64(Limits.spanBytes))]
        ) { row in Int64(try row.double(0)) } ?? 0
    }

    public struct Figures: Sendable {
        public var files: Int64 = 0
        public var bytes: Int64 = 0
        public var unsentBytes: Int64 = 0
        public var pinnedBytes: Int64 = 0
    }

    /// What is here. Of pinned files, what the region has: that is what would go otherwise.
    public static func figures(in db: borrowing Connection) throws -> Figures {
        try db.first(
            """
            SELECT count(DISTINCT node), total(bytes), total(iif(state = 2, bytes, 0)),
                total(iif(state <> 2 AND pinned, bytes, 0))
            FROM (
                SELECT node, state, min(?1, max(0, nodes.size - span * ?1)) AS bytes, coalesce(pinned, 0) AS pinned
                FROM spans JOIN nodes ON nodes.inode = spans.node LEFT JOIN uses USING (node)
            )
            """,
            [.integer(Int64(Limits.spanBytes))]
        ) { row in
            Figures(
                files: try row.int64(0),
                bytes: Int64(try row.double(1)),
                unsentBytes: Int64(try row.double(2)),
                pinnedBytes: Int64(try row.double(3))
            )
        } ?? Figures()
    }

    /// Files with clean bytes, the longest unused first.
    public static func evictable(limit: Int, in db: borrowing Connection) throws -> [Inode] {
        try db.query(
            """
            SELECT node FROM (SELECT DISTINCT node FROM spans WHERE state = 1) AS here
            LEFT JOIN uses USING (node) WHERE NOT coalesce(pinned, 0) ORDER BY coalesce(used, 0) LIMIT ?1
            """,
            [.integer(Int64(limit))]
        ) { row in Inode(column: try row.int64(0)) }
    }
}
