import DaleksCore
import DaleksSQLite

/// The rows of `nodes` that lie in the trash.
enum TrashTable {
    struct Place: Hashable, Sendable {
        let id: NodeID
        let removed: Timestamp
    }

    /// What was removed last first.
    static func page(
        of tree: TreeNumber,
        before place: Place?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [NodeID] {
        try db.query(
            """
            SELECT id FROM nodes WHERE tree = ?1 AND removed_name IS NOT NULL
                AND (removed < ?2 OR removed = ?2 AND id < ?3)
            ORDER BY removed DESC, id DESC LIMIT ?4
            """,
            [
                .integer(tree), .integer(place?.removed.nanoseconds ?? .max), .blob(place?.id.bytes ?? [0xff]),
                .integer(limit),
            ]
        ) { try $0.identifier(0) }
    }

    static func oldest(of tree: TreeNumber, _ db: borrowing StoreConnection) throws -> Place? {
        try db.first(
            """
            SELECT id, removed FROM nodes WHERE tree = ?1 AND removed_name IS NOT NULL ORDER BY removed LIMIT 1
            """,
            [.integer(tree)]
        ) { Place(id: try $0.identifier(0), removed: try $0.timestamp(1)) }
    }

    /// Trees and nodes whose time in the trash is over.
    static func due(
        before time: Timestamp,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [(tree: TreeNumber, node: NodeID)] {
        try db.query(
            "SELECT tree, id FROM nodes WHERE removed < ?1 AND removed_name IS NOT NULL LIMIT ?2",
            [.time(time), .integer(limit)]
        ) { (try $0.int64(0), try $0.identifier(1)) }
    }

    /// It is gone for good: what is left of it is the collector's. The tree's row is the caller's to save.
    static func purge(_ id: NodeID, in tree: inout TreeState, _ db: borrowing StoreConnection) throws {
        guard var node = try NodeTable.load(id, db), node.removedName != nil, node.tree == tree.number else { return }
        tree.trashBytes -= node.trashBytes
        tree.versionsBytes -= try VersionTable.dropAll(of: id, db)
        tree.accessVersion += 1
        node.removedName = nil
        node.trashBytes = 0
        node.trashFiles = 0
        node.sharing = []
        try GrantTable.delete(on: id, db)
        try NodeTable.save(node, db)
    }

    struct Subtree {
        var bytes: Int64 = 0
        var files: Int64 = 0
        /// Names, below the top, of files that have other names besides.
        var sharedNames: [EntryKey] = []
        /// Nodes below the top, or itself, on which grants stand.
        var granted: [NodeID] = []
    }

    /// What lies in a folder, at any depth, itself included.
    static func subtree(of top: StoredNode, _ db: borrowing StoreConnection) throws -> Subtree {
        var subtree = Subtree(bytes: top.contentBytes, files: 1)
        if top.sharing.contains(.granted) { subtree.granted.append(top.id) }
        var folders = top.isFolder && top.entryCount > 0 ? [top.id] : []
        while let folder = folders.popLast() {
            try db.forEach(
                """
                SELECT id, kind, links, content_bytes, entry_count, sharing, entries.name
                FROM entries JOIN nodes ON nodes.id = entries.node WHERE entries.parent = ?1
                """,
                [.id(folder)]
            ) { row in
                let id: NodeID = try row.identifier(0)
                let isFolder = try row.int64(1) == Int64(NodeKind.folder.rawValue)
                if !isFolder, try row.int64(2) > 1 {
                    subtree.sharedNames.append(EntryKey(parent: folder, name: try row.name(6)))
                    return
                }
                subtree.files += 1
                subtree.bytes += try row.int64(3)
                if try row.int64(5) & Int64(Sharing.granted.rawValue) != 0 { subtree.granted.append(id) }
                if isFolder, try row.int64(4) > 0 { folders.append(id) }
            }
        }
        return subtree
    }
}
