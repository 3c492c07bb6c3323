import DaleksCore
import DaleksPostgres
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

    private static let saving: SQL = """
        INSERT INTO entries (parent, name, node) VALUES (?1, ?2, ?3)
        ON CONFLICT (parent, name) DO UPDATE SET node = excluded.node
        """

    /// On PostgreSQL all of them by two statements.
    static func save(_ entries: [(key: EntryKey, node: NodeID?)], _ db: borrowing StoreConnection) throws {
        guard case .postgres(let connection) = db.backend, entries.count > 1 else {
            for (key, node) in entries { try save(key, node, db) }
            return
        }
        let gone = entries.filter { $0.node == nil }.map(\.key)
        if !gone.isEmpty {
            try connection.pointee.execute(
                """
                DELETE FROM entries USING unnest($1::bytea[], $2::bytea[]) AS gone (parent, name)
                WHERE entries.parent = gone.parent AND entries.name = gone.name
                """,
                [.ids(gone.map(\.parent)), .names(gone.map(\.name))]
            )
        }
        let rows = entries.compactMap { key, node in
            node.map { [Value.id(key.parent), .name(key.name), .id($0)] }
        }
        try db.insert(saving, types: "bbb", rows: rows)
    }

    /// What these names stand for, on PostgreSQL; names that stand for nothing are absent.
    static func loadSet(_ keys: [EntryKey], _ db: borrowing StoreConnection) throws -> [EntryKey: NodeID] {
        var nodes: [EntryKey: NodeID] = [:]
        try db.query(
            sets: """
                SELECT entries.parent, entries.name, entries.node
                FROM unnest($1::bytea[], $2::bytea[]) AS asked (parent, name)
                JOIN entries ON entries.parent = asked.parent AND entries.name = asked.name
                """,
            [.ids(keys.map(\.parent)), .names(keys.map(\.name))]
        ) { row in
            nodes[EntryKey(parent: try row.identifier(0), name: try row.name(1))] = try row.identifier(2)
        }
        return nodes
    }

    /// A name that stands for nothing goes away.
    static func save(_ key: EntryKey, _ node: NodeID?, _ db: borrowing StoreConnection) throws {
        guard let node else { return try delete(key, db) }
        try db.withStatement(saving) { statement in
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

    /// The folders that lie directly in a folder, and how many links each has.
    static func folders(in folder: NodeID, _ db: borrowing StoreConnection) throws -> [(id: NodeID, links: Int64)] {
        try db.query(
            """
            SELECT nodes.id, nodes.links FROM entries JOIN nodes ON nodes.id = entries.node
            WHERE entries.parent = ?1 AND nodes.kind = ?2
            """,
            [.id(folder), .integer(Int64(NodeKind.folder.rawValue))]
        ) { (try $0.identifier(0), try $0.int64(1)) }
    }

    /// Up to `limit` entries whose names come after `name`, with their nodes; fewer, and at least one, where these
    /// carry much, and then there may be more.
    static func page(
        of folder: NodeID,
        after name: Name?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> (rows: [(name: Name, node: StoredNode)], isCut: Bool) {
        try db.withStatement(
            """
            SELECT entries.name, id, tree, kind, mode, uid, gid, accessed, modified, changed, size, links, revision,
                content, entry_count, content_bytes, maker_device, maker_sequence, nodes.parent, target, removed,
                creator, sharing, removed_name, remover, trash_bytes, trash_files, device, xattrs,
                made
            FROM entries JOIN nodes ON nodes.id = entries.node
            WHERE entries.parent = ?1 AND entries.name > ?2 ORDER BY entries.name LIMIT ?3
            """
        ) { statement in
            try statement.bind(folder, at: 1)
            // No name is empty, so every name comes after the empty one.
            try statement.bind(name?.bytes ?? [], at: 2)
            try statement.bind(limit, at: 3)
            var page: [(name: Name, node: StoredNode)] = []
            var extendedBytes = 0
            while extendedBytes <= Limits.Files.pageExtendedBytesMax, try statement.step() {
                let node = try NodeTable.node(statement, from: 1)
                page.append((try statement.name(0), node))
                extendedBytes += node.extended.byteCount
            }
            return (page, extendedBytes > Limits.Files.pageExtendedBytesMax)
        }
    }
}
