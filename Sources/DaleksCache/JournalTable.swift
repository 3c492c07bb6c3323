public import DaleksSQLite

/// What was done here and the region has not acknowledged, in the order in which it was done.
public enum JournalTable {
    /// How the pusher treats a row. The raw values are on disk: never renumber.
    public enum Kind: Int64, Sendable {
        /// Ready as it is.
        case metadata = 1
        /// Content to be hashed and uploaded; its body is made when that is done.
        case commit = 2
    }

    /// The nodes that a row concerns, by which rows wait for each other.
    public struct Subjects: Hashable, Sendable {
        public var node: Inode
        public var parent: Inode?
        public var otherParent: Inode?
        public var replaced: Inode?

        public init(node: Inode, parent: Inode? = nil, otherParent: Inode? = nil, replaced: Inode? = nil) {
            self.node = node
            self.parent = parent
            self.otherParent = otherParent
            self.replaced = replaced
        }
    }

    public struct Row: Sendable {
        public var place: Int64
        /// Given when it is first sent, and kept: the region answers a number once.
        public var sequence: Int64?
        public var kind: Kind
        public var subjects: Subjects
        /// The operation as it goes to the region; nil for a commit whose content is not there yet.
        public var body: [UInt8]?
        /// Somebody was told that this content is safe, when the file was in this folder: what is done there after it
        /// must not be seen first.
        public var barrier: Inode?
        /// The region has the last word: where it does not agree, what was done here is taken back.
        public var isAsked: Bool

        public init(
            place: Int64,
            sequence: Int64? = nil,
            kind: Kind,
            subjects: Subjects,
            body: [UInt8]?,
            barrier: Inode? = nil,
            isAsked: Bool = false
        ) {
            self.place = place
            self.sequence = sequence
            self.kind = kind
            self.subjects = subjects
            self.body = body
            self.barrier = barrier
            self.isAsked = isAsked
        }
    }

    @discardableResult
    public static func append(
        _ kind: Kind,
        _ subjects: Subjects,
        body: [UInt8]?,
        in db: borrowing Connection
    ) throws -> Int64 {
        try db.withStatement(
            "INSERT INTO journal (kind, node, parent, other_parent, replaced, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        ) { statement in
            try statement.bind(kind.rawValue, at: 1)
            try statement.bind(subjects.node.column, at: 2)
            try bind(subjects.parent, at: 3, to: statement)
            try bind(subjects.otherParent, at: 4, to: statement)
            try bind(subjects.replaced, at: 5, to: statement)
            if let body { try statement.bind(body, at: 6) } else { try statement.bindNull(at: 6) }
            try statement.run()
        }
        return db.lastInsertRowID
    }

    /// Leaves the last word about a row to the region.
    public static func ask(at place: Int64, in db: borrowing Connection) throws {
        try db.execute("UPDATE journal SET asked = 1 WHERE place = ?1", [.integer(place)])
    }

    private static func bind(_ inode: Inode?, at position: Int, to statement: borrowing Statement) throws {
        if let inode {
            try statement.bind(inode.column, at: position)
        } else {
            try statement.bindNull(at: position)
        }
    }

    /// Puts a row in front of another, as near as there is room: what lies between is about other things.
    public static func insert(
        _ kind: Kind,
        _ subjects: Subjects,
        body: [UInt8]?,
        before place: Int64,
        in db: borrowing Connection
    ) throws {
        var free = place - 1
        while try find(place: free, in: db) != nil { free -= 1 }
        try db.execute(
            """
            INSERT INTO journal (place, kind, node, parent, other_parent, replaced, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """,
            [.integer(free), .integer(kind.rawValue)] + values(of: subjects) + [body.map { .blob($0) } ?? .null]
        )
    }

    /// At a place that is known to be free.
    public static func insert(
        _ kind: Kind,
        _ subjects: Subjects,
        body: [UInt8]?,
        at place: Int64,
        in db: borrowing Connection
    ) throws {
        try db.execute(
            """
            INSERT INTO journal (place, kind, node, parent, other_parent, replaced, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """,
            [.integer(place), .integer(kind.rawValue)] + values(of: subjects) + [body.map { .blob($0) } ?? .null]
        )
    }

    /// Rows after a place, in order.
    public static func page(after place: Int64, limit: Int, in db: borrowing Connection) throws -> [Row] {
        try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE place > ?1 ORDER BY place LIMIT ?2
            """,
            [.integer(place), .integer(Int64(limit))],
            decode
        )
    }

    /// Rows that were sent and not answered, in the order of their numbers.
    public static func numbered(limit: Int, in db: borrowing Connection) throws -> [Row] {
        try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE sequence IS NOT NULL ORDER BY sequence LIMIT ?1
            """,
            [.integer(Int64(limit))],
            decode
        )
    }

    /// Pending rows that make, name or take away entries of a folder.
    public static func rows(in folder: Inode, in db: borrowing Connection) throws -> [Row] {
        try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE parent = ?1 OR other_parent = ?1 ORDER BY place
            """,
            [.integer(folder.column)],
            decode
        )
    }

    /// Where the last row stands.
    public static func lastPlace(in db: borrowing Connection) throws -> Int64 {
        try db.first("SELECT max(place) FROM journal", [], { row in try row.optionalInt64(0) ?? .min }) ?? .min
    }

    /// Where the rows about a node itself stand, up to a place.
    public static func places(of node: Inode, upTo place: Int64, in db: borrowing Connection) throws -> [Int64] {
        try db.query(
            "SELECT place FROM journal WHERE node = ?1 AND place <= ?2",
            [.integer(node.column), .integer(place)]
        ) { row in try row.int64(0) }
    }

    /// Where the rows about names in a folder stand, up to a place.
    public static func places(in folder: Inode, upTo place: Int64, in db: borrowing Connection) throws -> [Int64] {
        try db.query(
            """
            SELECT place FROM journal WHERE parent = ?1 AND place <= ?2
            UNION SELECT place FROM journal WHERE other_parent = ?1 AND place <= ?2
            """,
            [.integer(folder.column), .integer(place)]
        ) { row in try row.int64(0) }
    }

    /// Where the rows about what lies in a folder stand, up to a place.
    public static func places(
        ofFilesIn folder: Inode,
        upTo place: Int64,
        in db: borrowing Connection
    ) throws -> [Int64] {
        try db.query(
            """
            SELECT place FROM journal WHERE place <= ?2
                AND EXISTS (SELECT 1 FROM entries WHERE entries.node = journal.node AND entries.parent = ?1)
            """,
            [.integer(folder.column), .integer(place)]
        ) { row in try row.int64(0) }
    }

    /// Rows about a node itself, after a place.
    public static func rows(of node: Inode, after place: Int64, in db: borrowing Connection) throws -> [Row] {
        try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE node = ?1 AND place > ?2 ORDER BY place
            """,
            [.integer(node.column), .integer(place)],
            decode
        )
    }

    /// Rows in which a node has any part.
    public static func rows(concerning node: Inode, in db: borrowing Connection) throws -> [Row] {
        try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE node = ?1 OR parent = ?1 OR other_parent = ?1 OR replaced = ?1 ORDER BY place
            """,
            [.integer(node.column)],
            decode
        )
    }

    /// Pending rows whose node this is, in order.
    public static func rows(about node: Inode, in db: borrowing Connection) throws -> [Row] {
        try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE node = ?1 ORDER BY place
            """,
            [.integer(node.column)],
            decode
        )
    }

    /// Commits of which it is certain what they say.
    public static func preparedCommits(in db: borrowing Connection) throws -> [Row] {
        try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE kind = 2 AND body IS NOT NULL ORDER BY place
            """,
            [],
            decode
        )
    }

    /// Whether bytes of the file are on their way, or will be.
    public static func hasCommit(of node: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM journal WHERE node = ?1 AND kind = 2 LIMIT 1", [.integer(node.column)])
    }

    /// Changes what a row says, and leaves its number as it is.
    public static func rewrite(
        place: Int64,
        _ subjects: Subjects,
        body: [UInt8],
        in db: borrowing Connection
    ) throws {
        try db.execute(
            "UPDATE journal SET node = ?2, parent = ?3, other_parent = ?4, replaced = ?5, body = ?6 WHERE place = ?1",
            [.integer(place)] + values(of: subjects) + [.blob(body)]
        )
    }

    /// What a file's commits that are still here will carry was promised to be safe. Writes only where that is news.
    public static func needsBarrier(_ node: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists(
            "SELECT 1 FROM journal WHERE node = ?1 AND kind = 2 AND sequence IS NULL AND barrier = 0 LIMIT 1",
            [.integer(node.column)]
        )
    }

    public static func setBarrier(_ node: Inode, in db: borrowing Connection) throws {
        try db.execute(
            """
            UPDATE journal SET barrier = coalesce((SELECT parent FROM entries WHERE entries.node = ?1 LIMIT 1), 0)
            WHERE node = ?1 AND kind = 2 AND sequence IS NULL
            """,
            [.integer(node.column)]
        )
    }

    /// A commit turned out to have no content: it tells something else.
    public static func becomeMetadata(place: Int64, body: [UInt8], in db: borrowing Connection) throws {
        try db.execute("UPDATE journal SET kind = 1, body = ?2 WHERE place = ?1", [.integer(place), .blob(body)])
    }

    /// Takes numbers back: what had them did not run, and goes out again under new ones.
    public static func renumber(place: Int64, in db: borrowing Connection) throws {
        try db.execute("UPDATE journal SET sequence = NULL WHERE place = ?1", [.integer(place)])
    }

    /// Puts another operation into a row, to go out under a new number.
    public static func replace(
        place: Int64,
        _ subjects: Subjects,
        body: [UInt8]?,
        in db: borrowing Connection
    ) throws {
        try db.execute(
            """
            UPDATE journal SET sequence = NULL, node = ?2, parent = ?3, other_parent = ?4, replaced = ?5, body = ?6
            WHERE place = ?1
            """,
            [.integer(place)] + values(of: subjects) + [body.map { .blob($0) } ?? .null]
        )
    }

    /// Takes away everything about a node that was not sent.
    public static func deleteUnsent(of node: Inode, in db: borrowing Connection) throws {
        try db.execute("DELETE FROM journal WHERE node = ?1 AND sequence IS NULL", [.integer(node.column)])
    }

    public static func find(place: Int64, in db: borrowing Connection) throws -> Row? {
        try page(after: place - 1, limit: 1, in: db).first { $0.place == place }
    }

    /// The last row about a node, if it is a commit that is not under way: further writes can still ride on it.
    public static func openCommit(of node: Inode, in db: borrowing Connection) throws -> Int64? {
        let last = try db.query(
            """
            SELECT place, sequence, kind, node, parent, other_parent, replaced, body, barrier, asked FROM journal
            WHERE node = ?1 ORDER BY place DESC LIMIT 1
            """,
            [.integer(node.column)],
            decode
        ).first
        guard let last, last.kind == .commit, last.body == nil else { return nil }
        return last.place
    }

    /// False where the row is gone.
    @discardableResult
    public static func setBody(_ body: [UInt8], at place: Int64, in db: borrowing Connection) throws -> Bool {
        try db.execute("UPDATE journal SET body = ?2 WHERE place = ?1", [.integer(place), .blob(body)]) > 0
    }

    /// Numbers a row: from now on it is sent under that number, as its body is.
    public static func number(_ sequence: Int64, at place: Int64, in db: borrowing Connection) throws {
        try db.withStatement("UPDATE journal SET sequence = ?2 WHERE place = ?1") { statement in
            try statement.bind(place, at: 1)
            try statement.bind(sequence, at: 2)
            try statement.run()
        }
    }

    public static func delete(place: Int64, in db: borrowing Connection) throws {
        try db.withStatement("DELETE FROM journal WHERE place = ?1") { statement in
            try statement.bind(place, at: 1)
            try statement.run()
        }
    }

    public static func count(in db: borrowing Connection) throws -> Int64 {
        try db.first("SELECT count(*) FROM journal", []) { row in try row.int64(0) } ?? 0
    }

    /// Whether operations are pending that name the node itself.
    public static func isPending(_ node: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM journal WHERE node = ?1 LIMIT 1", [.integer(node.column)])
    }

    /// Whether operations are pending that change the folder's entries.
    public static func isPending(in folder: Inode, in db: borrowing Connection) throws -> Bool {
        let bindings: [Value] = [.integer(folder.column)]
        if try db.exists("SELECT 1 FROM journal WHERE parent = ?1 LIMIT 1", bindings) { return true }
        return try db.exists("SELECT 1 FROM journal WHERE other_parent = ?1 LIMIT 1", bindings)
    }

    /// Whether any pending operation needs the node to stay known.
    public static func isConcerned(_ node: Inode, in db: borrowing Connection) throws -> Bool {
        if try isPending(node, in: db) { return true }
        if try isPending(in: node, in: db) { return true }
        return try isBeingReplaced(node, in: db)
    }

    /// Whether a pending rename takes a name from the node.
    public static func isBeingReplaced(_ node: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM journal WHERE replaced = ?1 LIMIT 1", [.integer(node.column)])
    }

    private static func values(of subjects: Subjects) -> [Value] {
        [
            .integer(subjects.node.column),
            subjects.parent.map { .integer($0.column) } ?? .null,
            subjects.otherParent.map { .integer($0.column) } ?? .null,
            subjects.replaced.map { .integer($0.column) } ?? .null,
        ]
    }

    private static func decode(_ row: borrowing DaleksSQLite.Row) throws -> Row {
        guard let kind = Kind(rawValue: try row.int64(2)) else {
            throw SQLiteError(.corrupt, "a journal row of an unknown kind", sql: "journal")
        }
        return Row(
            place: try row.int64(0),
            sequence: try row.optionalInt64(1),
            kind: kind,
            subjects: Subjects(
                node: Inode(column: try row.int64(3)),
                parent: try row.optionalInt64(4).map(Inode.init(column:)),
                otherParent: try row.optionalInt64(5).map(Inode.init(column:)),
                replaced: try row.optionalInt64(6).map(Inode.init(column:))
            ),
            body: try row.optionalBlob(7),
            barrier: try row.int64(8) == 0 ? nil : Inode(column: try row.int64(8)),
            isAsked: try row.int64(9) != 0
        )
    }
}
