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

    static func save(_ manifest: StoredManifest, _ key: StoredManifest.Key, _ db: borrowing StoreConnection) throws {
        try db.withStatement("INSERT INTO manifests (node, content, size, body) VALUES (?1, ?2, ?3, ?4)") { statement in
            try statement.bind(key.node, at: 1)
            try statement.bind(key.content, at: 2)
            try statement.bind(manifest.size, at: 3)
            try statement.bind(manifest.record, at: 4)
            try statement.run()
        }
    }

    static func supersede(_ key: StoredManifest.Key, at time: Timestamp, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "UPDATE manifests SET superseded = ?3 WHERE node = ?1 AND content = ?2",
            [.id(key.node), .integer(key.content), .time(time)]
        )
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

    /// Manifests of content that was replaced before then.
    static func superseded(
        before time: Timestamp,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [StoredManifest.Key] {
        try db.query(
            "SELECT node, content FROM manifests WHERE superseded IS NOT NULL AND superseded < ?1 LIMIT ?2",
            [.time(time), .integer(limit)]
        ) { StoredManifest.Key(node: try $0.identifier(0), content: try $0.int64(1)) }
    }

    static func contents(of node: NodeID, _ db: borrowing StoreConnection) throws -> [Revision] {
        try db.query("SELECT content FROM manifests WHERE node = ?1", [.id(node)]) { try $0.int64(0) }
    }

    static func delete(_ key: StoredManifest.Key, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "DELETE FROM manifests WHERE node = ?1 AND content = ?2",
            [.id(key.node), .integer(key.content)]
        )
    }
}
