import DaleksAPI
import DaleksCore
import DaleksSQLite

/// A link as the database has it.
struct StoredLink: Hashable, Sendable {
    let record: LinkRecord
    let tree: TreeNumber
    let issuer: UserID
    let password: String?

    func isOver(at time: Timestamp) -> Bool {
        if let expires = record.expires, expires <= time { return true }
        return false
    }

    var isUsedUp: Bool { record.downloadsMax.map { record.downloads >= $0 } ?? false }
}

/// `links` and `link_uses`. A token is kept as its digest: who reads the database opens nothing with it.
enum LinkTable {
    static func insert(_ link: StoredLink, token: Digest, _ db: borrowing StoreConnection) throws {
        let record = link.record
        try db.execute(
            """
            INSERT INTO links (id, token, tree, node, issuer, kind, password, created, expires, downloads_max,
                downloads, attempts, attempts_since)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, 0)
            """,
            [
                .id(record.id), .digest(token), .integer(link.tree), .id(record.node), .id(link.issuer),
                .integer(record.kind == .view ? 0 : 1), .optional(link.password), .time(record.created),
                .optional(record.expires), .optional(record.downloadsMax),
            ]
        )
    }

    static func load(token: Digest, _ db: borrowing StoreConnection) throws -> StoredLink? {
        try db.first(
            """
            SELECT id, node, kind, password, created, expires, downloads_max, downloads, last_used, tree, issuer
            FROM links WHERE token = ?1
            """,
            [.digest(token)],
            link
        )
    }

    static func load(_ id: LinkID, _ db: borrowing StoreConnection) throws -> StoredLink? {
        try db.first(
            """
            SELECT id, node, kind, password, created, expires, downloads_max, downloads, last_used, tree, issuer
            FROM links WHERE id = ?1
            """,
            [.id(id)],
            link
        )
    }

    static func links(of issuer: UserID, limit: Int, _ db: borrowing StoreConnection) throws -> [StoredLink] {
        try db.query(
            """
            SELECT id, node, kind, password, created, expires, downloads_max, downloads, last_used, tree, issuer
            FROM links WHERE issuer = ?1 ORDER BY id LIMIT ?2
            """,
            [.id(issuer), .integer(limit)],
            link
        )
    }

    static func links(on node: NodeID, limit: Int, _ db: borrowing StoreConnection) throws -> [StoredLink] {
        try db.query(
            """
            SELECT id, node, kind, password, created, expires, downloads_max, downloads, last_used, tree, issuer
            FROM links WHERE node = ?1 ORDER BY id LIMIT ?2
            """,
            [.id(node), .integer(limit)],
            link
        )
    }

    static func delete(_ id: LinkID, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM links WHERE id = ?1", [.id(id)])
        try db.execute("DELETE FROM link_uses WHERE link = ?1", [.id(id)])
    }

    /// Links to a node lead to another from now on.
    static func inherit(from old: NodeID, to new: NodeID, _ db: borrowing StoreConnection) throws {
        try db.execute("UPDATE links SET node = ?2 WHERE node = ?1", [.id(old), .id(new)])
    }

    /// One download more; false where there is none left.
    static func count(_ id: LinkID, at time: Timestamp, _ db: borrowing StoreConnection) throws -> Bool {
        try db.execute(
            """
            UPDATE links SET downloads = downloads + 1, last_used = ?2
            WHERE id = ?1 AND (downloads_max IS NULL OR downloads < downloads_max)
            """,
            [.id(id), .time(time)]
        ) == 1
    }

    /// Takes one of the attempts at the password that a while has; false where they are used up. Taken before the
    /// password is looked at, so that many at once are counted all the same.
    static func takeAttempt(
        _ id: LinkID,
        at time: Timestamp,
        max count: Int,
        per interval: Duration,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        let since = time - interval
        try db.execute(
            "UPDATE links SET attempts = 0, attempts_since = ?2 WHERE id = ?1 AND attempts_since < ?3",
            [.id(id), .time(time), .time(since)]
        )
        return try db.execute(
            "UPDATE links SET attempts = attempts + 1 WHERE id = ?1 AND attempts < ?2",
            [.id(id), .integer(count)]
        ) == 1
    }

    static func forgiveAttempts(_ id: LinkID, _ db: borrowing StoreConnection) throws {
        try db.execute("UPDATE links SET attempts = 0 WHERE id = ?1", [.id(id)])
    }

    static func recordUse(
        of id: LinkID,
        at time: Timestamp,
        from address: String,
        agent: String?,
        _ db: borrowing StoreConnection
    ) throws {
        try db.execute(
            "INSERT INTO link_uses (link, time, address, agent) VALUES (?1, ?2, ?3, ?4)",
            [.id(id), .time(time), .text(address), .optional(agent)]
        )
        try db.execute(
            """
            DELETE FROM link_uses WHERE link = ?1 AND number NOT IN
                (SELECT number FROM link_uses WHERE link = ?1 ORDER BY number DESC LIMIT ?2)
            """,
            [.id(id), .integer(Limits.Files.linkUsesKept)]
        )
    }

    struct Use {
        let time: Timestamp
        let address: String
        let agent: String?
    }

    static func uses(of id: LinkID, _ db: borrowing StoreConnection) throws -> [Use] {
        try db.query(
            "SELECT time, address, agent FROM link_uses WHERE link = ?1 ORDER BY number DESC",
            [.id(id)]
        ) { Use(time: try $0.timestamp(0), address: try $0.text(1), agent: try $0.optionalText(2)) }
    }

    private static func link(_ row: borrowing StoreStatement) throws -> StoredLink {
        let password = try row.optionalText(3)
        return StoredLink(
            record: LinkRecord(
                id: try row.identifier(0),
                node: try row.identifier(1),
                kind: try row.int64(2) == 0 ? .view : .download,
                hasPassword: password != nil,
                created: try row.timestamp(4),
                expires: try row.optionalTimestamp(5),
                downloadsMax: try row.optionalInt64(6),
                downloads: try row.int64(7),
                lastUsed: try row.optionalTimestamp(8)
            ),
            tree: try row.int64(9),
            issuer: try row.identifier(10),
            password: password
        )
    }
}

/// `secrets`: keys that all processes of the region share, drawn by the first that needs one.
enum SecretTable {
    static func load(_ name: String, _ db: borrowing StoreConnection) throws -> [UInt8]? {
        try db.first("SELECT value FROM secrets WHERE name = ?1", [.text(name)]) { try $0.blob(0) }
    }

    static func replace(_ name: String, _ value: [UInt8], _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """,
            [.text(name), .blob(value)]
        )
    }

    static func make(_ name: String, _ value: [UInt8], _ db: borrowing StoreConnection) throws {
        try db.execute(
            "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
            [.text(name), .blob(value)]
        )
    }
}
