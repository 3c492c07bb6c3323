import DaleksCore
import DaleksSQLite

/// `entries`: the names in folders. SQLite compares blobs byte by byte, which is the order of the wire.
enum EntryTable {
    static func load(_ key: EntryKey, _ db: borrowing StoreConnection) throws -> NodeID? {
        try db.withStatement("SELECT node FROM entries WHERE parent = ?1 AND name = ?2") { statement in
            try statement.bind(key.parent, at: 1)
            try statement.bind(key.name, at: 2)
            guard try statement.step() else { return nil }
            return try statement.identifier(0)
        }
    }

    /// A name that stands for nothing goes away.
    static func save(_ key: EntryKey, _ node: NodeID?, _ db: borrowing StoreConnection) throws {
        guard let node else { return try delete(key, db) }
        try db.withStatement(
            """
            INSERT INTO entries (parent, name, node) VALUES (?1, ?2, ?3)
            ON CONFLICT (parent, name) DO UPDATE SET node = excluded.node
            """
        ) { statement in
            try statement.bind(key.parent, at: 1)
            try statement.bind(key.name, at: 2)
            try statement.bind(node, at: 3)
            try statement.run()
        }
    }

    private static func delete(_ key: EntryKey, _ db: borrowing StoreConnection) throws {
        try db.withStatement("DELETE FROM entries WHERE parent = ?1 AND name = ?2") { statement in
            try statement.bind(key.parent, at: 1)
            try statement.bind(key.name, at: 2)
            try statement.run()
        }
    }

    /// The folders in which a node has a name, each as often as it has one there.
    static func parents(of node: NodeID, _ db: borrowing StoreConnection) throws -> [EntryKey] {
        try db.withStatement("SELECT parent, name FROM entries WHERE node = ?1") { statement in
            try statement.bind(node, at: 1)
            var keys: [EntryKey] = []
            while try statement.step() {
                keys.append(EntryKey(parent: try statement.identifier(0), name: try statement.name(1)))
            }
            return keys
        }
    }

    static func folderCount(in folder: NodeID, _ db: borrowing StoreConnection) throws -> UInt32 {
        let count = try db.first(
            """
            SELECT count(*) FROM entries JOIN nodes ON nodes.id = entries.node
            WHERE entries.parent = ?1 AND nodes.kind = ?2
            """,
            [.id(folder), .integer(Int64(NodeKind.folder.rawValue))]
        ) { try $0.int64(0) }
        return UInt32(clamping: count ?? 0)
    }

    /// Up to `limit` entries whose names come after `name`, with their nodes.
    static func page(
        of folder: NodeID,
        after name: Name?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [(name: Name, node: StoredNode)] {
        try db.withStatement(
            """
            SELECT entries.name, id, tree, kind, mode, uid, gid, accessed, modified, changed, size, links, revision,
                content, entry_count, content_bytes, maker_device, maker_sequence, nodes.parent, target, removed,
                creator, sharing, removed_name, remover, trash_bytes, trash_files
            FROM entries JOIN nodes ON nodes.id = entries.node
            WHERE entries.parent = ?1 AND entries.name > ?2 ORDER BY entries.name LIMIT ?3
            """
        ) { statement in
            try statement.bind(folder, at: 1)
            // No name is empty, so every name comes after the empty one.
            try statement.bind(name?.bytes ?? [], at: 2)
            try statement.bind(limit, at: 3)
            var page: [(name: Name, node: StoredNode)] = []
            while try statement.step() {
                page.append((try statement.name(0), try NodeTable.node(statement, from: 1)))
            }
            return page
        }
    }
}
