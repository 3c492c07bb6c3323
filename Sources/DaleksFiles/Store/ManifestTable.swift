import DaleksCore
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

    static func save(
        _ manifest: StoredManifest,
        _ key: StoredManifest.Key,
        of origin: Origin,
        _ db: borrowing StoreConnection
    ) throws {
        try db.withStatement(
            """
            INSERT INTO manifests (node, content, size, body, tree, author, modified)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """
        ) { statement in
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
            SELECT node, content, tree FROM manifests WHERE superseded IS NOT NULL AND superseded < ?1 AND version_of IS NULL
            LIMIT ?2
            """,
            [.time(time), .integer(limit)]
        ) { (StoredManifest.Key(node: try $0.identifier(0), content: try $0.int64(1)), try $0.int64(2)) }
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
