import DaleksCore
import DaleksSQLite

/// An earlier content of a file, as the database has it.
struct StoredVersion: Hashable, Sendable {
    /// The node may be another than the file: what had its name before.
    let key: StoredManifest.Key
    let size: Int64
    let modified: Timestamp
    let superseded: Timestamp
    let author: UserID?
    var label: String?
    var isPinned: Bool
    let cost: Int64
}

/// The rows of `manifests` that are earlier versions of some file.
enum VersionTable {
    static func load(_ content: Revision, of file: NodeID, _ db: borrowing StoreConnection) throws -> StoredVersion? {
        try db.first(
            """
            SELECT node, content, size, modified, superseded, author, label, pinned, cost FROM manifests
            WHERE version_of = ?1 AND content = ?2
            """,
            [.id(file), .integer(content)],
            version
        )
    }

    /// The latest first.
    static func versions(of file: NodeID, limit: Int, _ db: borrowing StoreConnection) throws -> [StoredVersion] {
        try db.query(
            """
            SELECT node, content, size, modified, superseded, author, label, pinned, cost FROM manifests
            WHERE version_of = ?1 ORDER BY superseded DESC, content DESC LIMIT ?2
            """,
            [.id(file), .integer(limit)],
            version
        )
    }

    /// The tree's oldest version that nobody asked to keep.
    static func oldest(of tree: TreeNumber, _ db: borrowing StoreConnection) throws -> StoredVersion? {
        try db.first(
            """
            SELECT node, content, size, modified, superseded, author, label, pinned, cost FROM manifests
            WHERE tree = ?1 AND version_of IS NOT NULL AND pinned = 0 AND label IS NULL ORDER BY superseded LIMIT 1
            """,
            [.integer(tree)],
            version
        )
    }

    static func setMarks(_ version: StoredVersion, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "UPDATE manifests SET label = ?3, pinned = ?4 WHERE node = ?1 AND content = ?2",
            [
                .id(version.key.node), .integer(version.key.content), .optional(version.label),
                .bool(version.isPinned),
            ]
        )
    }

    /// It is no version any more; the collector takes it once its grace is over.
    static func drop(_ key: StoredManifest.Key, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            UPDATE manifests SET version_of = NULL, thin_at = NULL, label = NULL, pinned = 0
            WHERE node = ?1 AND content = ?2
            """,
            [.id(key.node), .integer(key.content)]
        )
    }

    /// Gives up all versions of a file; the bytes that were kept for them.
    static func dropAll(of file: NodeID, _ db: borrowing StoreConnection) throws -> Int64 {
        let cost = try db.first(
            "SELECT CAST(coalesce(sum(cost), 0) AS BIGINT) FROM manifests WHERE version_of = ?1",
            [.id(file)]
        ) { try $0.int64(0) }
        try db.execute(
            """
            UPDATE manifests SET version_of = NULL, thin_at = NULL, label = NULL, pinned = 0 WHERE version_of = ?1
            """,
            [.id(file)]
        )
        return cost ?? 0
    }

    struct Due {
        let version: StoredVersion
        let file: NodeID
        let tree: TreeNumber
    }

    /// Those that the thinning policy is to look at.
    static func due(at time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> [Due] {
        try db.query(
            """
            SELECT node, content, size, modified, superseded, author, label, pinned, cost, version_of, tree
            FROM manifests WHERE thin_at IS NOT NULL AND thin_at <= ?1 ORDER BY thin_at LIMIT ?2
            """,
            [.time(time), .integer(limit)]
        ) { row in
            Due(version: try version(row), file: try row.identifier(9), tree: try row.int64(10))
        }
    }

    /// Whether the file has another version from the same stretch of time that is later.
    static func hasLater(
        than version: StoredVersion,
        of file: NodeID,
        before end: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        try db.exists(
            """
            SELECT 1 FROM manifests WHERE version_of = ?1 AND superseded < ?2
                AND (superseded > ?3 OR superseded = ?3 AND content > ?4) LIMIT 1
            """,
            [.id(file), .time(end), .time(version.superseded), .integer(version.key.content)]
        )
    }

    /// Nil: never again.
    static func setDue(_ key: StoredManifest.Key, _ time: Timestamp?, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "UPDATE manifests SET thin_at = ?3 WHERE node = ?1 AND content = ?2",
            [.id(key.node), .integer(key.content), .optional(time)]
        )
    }

    private static func version(_ row: borrowing StoreStatement) throws -> StoredVersion {
        StoredVersion(
            key: StoredManifest.Key(node: try row.identifier(0), content: try row.int64(1)),
            size: try row.int64(2),
            modified: try row.timestamp(3),
            superseded: try row.timestamp(4),
            author: try row.optionalIdentifier(5),
            label: try row.optionalText(6),
            isPinned: try row.bool(7),
            cost: try row.int64(8)
        )
    }
}
