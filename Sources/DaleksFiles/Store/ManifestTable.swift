import DaleksCore
import DaleksPostgres
import DaleksSQLite

/// `manifests` and `manifest_pages`: what files consist of, at each revision that is still kept.
enum ManifestTable {
    static func load(_ key: StoredManifest.Key, _ db: borrowing StoreConnection) throws -> StoredManifest? {
        try db.withStatement("SELECT size, body FROM manifests WHERE node = ?1 AND content = ?2") { statement in
            try statement.bind(key.node, at: 1)
            try statement.bind(key.content, at: 2)
            guard try statement.step() else { return nil }
            return try StoredManifest(size: try statement.int64(0), record: try statement.blob(1))
        }
    }

    private static let saving: SQL = """
        INSERT INTO manifests (node, content, size, body, tree, author, modified) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """

    /// On PostgreSQL all of them by one statement.
    static func save(
        _ manifests: [(manifest: StoredManifest, key: StoredManifest.Key, origin: Origin)],
        _ db: borrowing StoreConnection
    ) throws {
        guard db.isPostgres, manifests.count > 1 else {
            for (manifest, key, origin) in manifests { try save(manifest, key, of: origin, db) }
            return
        }
        let rows = manifests.map { manifest, key, origin -> [Value] in
            [
                .id(key.node), .integer(key.content), .integer(manifest.size), .blob(manifest.record),
                .integer(origin.tree), .id(origin.author), .time(origin.modified),
            ]
        }
        try db.insert(saving, types: "biibibi", rows: rows)
    }

    /// What there is of these, on PostgreSQL.
    static func loadSet(
        _ keys: [StoredManifest.Key],
        _ db: borrowing StoreConnection
    ) throws -> [StoredManifest.Key: StoredManifest] {
        var manifests: [StoredManifest.Key: StoredManifest] = [:]
        try db.query(
            sets: """
                SELECT manifests.node, manifests.content, size, body
                FROM unnest($1::bytea[], $2::bigint[]) AS asked (node, content)
                JOIN manifests ON manifests.node = asked.node AND manifests.content = asked.content
                """,
            [.ids(keys.map(\.node)), .integers(keys.map(\.content))]
        ) { row in
            let key = StoredManifest.Key(node: try row.identifier(0), content: try row.int64(1))
            manifests[key] = try StoredManifest(size: try row.int64(2), record: try row.blob(3))
        }
        return manifests
    }

    static func save(
        _ manifest: StoredManifest,
        _ key: StoredManifest.Key,
        of origin: Origin,
        _ db: borrowing StoreConnection
    ) throws {
        try db.withStatement(saving) { statement in
            try statement.bind(key.node, at: 1)
            try statement.bind(key.content, at: 2)
            try statement.bind(manifest.size, at: 3)
            try statement.bind(manifest.record, at: 4)
            try statement.bind(origin.tree, at: 5)
            try statement.bind(origin.author, at: 6)
            try statement.bind(origin.modified, at: 7)
            try statement.run()
        }
    }

    /// Where a content comes from.
    struct Origin {
        let tree: TreeNumber
        let author: UserID
        /// The file's own time, for who looks at versions.
        let modified: Timestamp
    }

    static func author(of key: StoredManifest.Key, _ db: borrowing StoreConnection) throws -> UserID? {
        try db.first(
            "SELECT author FROM manifests WHERE node = ?1 AND content = ?2",
            [.id(key.node), .integer(key.content)]
        ) { try $0.optionalIdentifier(0) } ?? nil
    }

    /// The digest of the whole content, where somebody brought all of it at once.
    static func digest(of key: StoredManifest.Key, _ db: borrowing StoreConnection) throws -> Digest? {
        try db.first(
            "SELECT sha256 FROM manifests WHERE node = ?1 AND content = ?2",
            [.id(key.node), .integer(key.content)]
        ) { try $0.optionalDigest(0) } ?? nil
    }

    static func setDigest(_ digest: Digest, of key: StoredManifest.Key, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "UPDATE manifests SET sha256 = ?3 WHERE node = ?1 AND content = ?2",
            [.id(key.node), .integer(key.content), .digest(digest)]
        )
    }

    /// It is an earlier version from now on.
    static func supersede(_ old: Superseded, at time: Timestamp, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            UPDATE manifests SET superseded = ?3, version_of = ?4, cost = ?5, thin_at = ?6
            WHERE node = ?1 AND content = ?2
            """,
            [
                .id(old.key.node), .integer(old.key.content), .time(time), .id(old.versionOf), .integer(old.cost),
                .time(time + Limits.Files.versionsAllKept),
            ]
        )
    }

    static func inheritVersions(from old: NodeID, to new: NodeID, _ db: borrowing StoreConnection) throws {
        try db.execute("UPDATE manifests SET version_of = ?2 WHERE version_of = ?1", [.id(old), .id(new)])
    }

    static func page(_ number: Int64, _ db: borrowing StoreConnection) throws -> ManifestPage {
        let page = try db.withStatement("SELECT body FROM manifest_pages WHERE number = ?1") { statement in
            try statement.bind(number, at: 1)
            return try statement.step() ? try ManifestPage(record: try statement.blob(0)) : nil
        }
        guard let page else { throw RecordError(record: "manifest page") }
        return page
    }

    /// The number of its row.
    static func insert(_ page: ManifestPage, _ db: borrowing StoreConnection) throws -> Int64 {
        try db.insert("INSERT INTO manifest_pages (body) VALUES (?1) RETURNING number", [.blob(page.record)])
    }

    static func deletePage(_ number: Int64, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM manifest_pages WHERE number = ?1", [.integer(number)])
    }

    /// Manifests of content that was replaced before then and is no version.
    static func superseded(
        before time: Timestamp,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [(key: StoredManifest.Key, tree: TreeNumber)] {
        try db.query(
            """
            SELECT node, content, tree FROM manifests
            WHERE superseded IS NOT NULL AND superseded < ?1 AND version_of IS NULL
            LIMIT ?2
            """,
            [.time(time), .integer(limit)]
        ) { (StoredManifest.Key(node: try $0.identifier(0), content: try $0.int64(1)), try $0.int64(2)) }
    }

    /// Whether it is still so.
    static func isSuperseded(
        _ key: StoredManifest.Key,
        before time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        try db.exists(
            "SELECT 1 FROM manifests WHERE node = ?1 AND content = ?2 AND superseded < ?3 AND version_of IS NULL",
            [.id(key.node), .integer(key.content), .time(time)]
        )
    }

    /// Contents of a node, but for those that another file has as its versions.
    static func contents(of node: NodeID, _ db: borrowing StoreConnection) throws -> [Revision] {
        try db.query(
            "SELECT content FROM manifests WHERE node = ?1 AND (version_of IS NULL OR version_of = ?1)",
            [.id(node)]
        ) { try $0.int64(0) }
    }

    /// All contents of a node: they may share pages.
    static func allContents(of node: NodeID, _ db: borrowing StoreConnection) throws -> [Revision] {
        try db.query("SELECT content FROM manifests WHERE node = ?1", [.id(node)]) { try $0.int64(0) }
    }

    static func delete(_ key: StoredManifest.Key, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "DELETE FROM manifests WHERE node = ?1 AND content = ?2",
            [.id(key.node), .integer(key.content)]
        )
    }
}
