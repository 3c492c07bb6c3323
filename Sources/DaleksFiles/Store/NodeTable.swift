import DaleksCore
import DaleksPostgres
import DaleksSQLite

/// `nodes`: files, folders, links, pipes and sockets of all trees.
enum NodeTable {
    static func load(_ id: NodeID, _ db: borrowing StoreConnection) throws -> StoredNode? {
        try db.withStatement(
            """
            SELECT id, tree, kind, mode, uid, gid, accessed, modified, changed, size, links, revision, content,
                entry_count, content_bytes, maker_device, maker_sequence, parent, target, removed, creator, sharing,
                removed_name, remover, trash_bytes, trash_files, device, xattrs, made
            FROM nodes WHERE id = ?1
            """
        ) { statement in
            try statement.bind(id, at: 1)
            guard try statement.step() else { return nil }
            return try node(statement, from: 0)
        }
    }

    /// Reads the columns above, which begin at `first`.
    static func node(_ row: borrowing StoreStatement, from first: Int) throws -> StoredNode {
        guard let kind = NodeKind(rawValue: UInt8(truncatingIfNeeded: try row.int64(first + 2))) else {
            throw RecordError(record: "kind of node")
        }
        let attributes = Attributes(
            kind: kind,
            mode: UInt32(truncatingIfNeeded: try row.int64(first + 3)),
            uid: UInt32(truncatingIfNeeded: try row.int64(first + 4)),
            gid: UInt32(truncatingIfNeeded: try row.int64(first + 5)),
            accessed: try row.timestamp(first + 6),
            modified: try row.timestamp(first + 7),
            changed: try row.timestamp(first + 8),
            size: try row.int64(first + 9),
            links: UInt32(truncatingIfNeeded: try row.int64(first + 10)),
            device: UInt32(truncatingIfNeeded: try row.int64(first + 26))
        )
        let makerDevice = try row.optionalInt64(first + 15)
        let makerSequence = try row.optionalInt64(first + 16)
        var maker: OperationMark?
        if let makerDevice, let makerSequence { maker = OperationMark(device: makerDevice, sequence: makerSequence) }
        var node = StoredNode(
            id: try row.identifier(first),
            tree: try row.int64(first + 1),
            attributes: attributes,
            revision: try row.int64(first + 11),
            content: try row.int64(first + 12),
            target: try row.optionalBlob(first + 18),
            parent: try row.optionalIdentifier(first + 17),
            entryCount: try row.int64(first + 13),
            contentBytes: try row.int64(first + 14),
            maker: maker,
            removed: try row.optionalTimestamp(first + 19),
            made: try row.optionalTimestamp(first + 28)
        )
        node.creator = try row.optionalIdentifier(first + 20)
        node.sharing = Sharing(rawValue: UInt8(truncatingIfNeeded: try row.int64(first + 21)))
        node.removedName = try row.optionalName(first + 22)
        node.remover = try row.optionalIdentifier(first + 23)
        node.trashBytes = try row.int64(first + 24)
        node.trashFiles = try row.int64(first + 25)
        if let bytes = try row.optionalBlob(first + 27) {
            guard let extended = ExtendedAttributes(encoded: bytes) else {
                throw RecordError(record: "list of extended attributes")
            }
            node.extended = extended
        }
        return node
    }

    private static let saving: SQL = """
        INSERT INTO nodes (id, tree, kind, mode, uid, gid, accessed, modified, changed, size, links,
            revision, content, entry_count, content_bytes, maker_device, maker_sequence, parent, target, removed,
            creator, sharing, removed_name, remover, trash_bytes, trash_files, device, xattrs, made)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
            ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)
        ON CONFLICT (id) DO UPDATE SET (tree, kind, mode, uid, gid, accessed, modified, changed, size, links,
            revision, content, entry_count, content_bytes, maker_device, maker_sequence, parent, target, removed,
            creator, sharing, removed_name, remover, trash_bytes, trash_files, device, xattrs)
            = (excluded.tree, excluded.kind, excluded.mode, excluded.uid, excluded.gid, excluded.accessed,
            excluded.modified, excluded.changed, excluded.size, excluded.links, excluded.revision, excluded.content,
            excluded.entry_count, excluded.content_bytes, excluded.maker_device, excluded.maker_sequence,
            excluded.parent, excluded.target, excluded.removed, excluded.creator, excluded.sharing,
            excluded.removed_name, excluded.remover, excluded.trash_bytes, excluded.trash_files,
            excluded.device, excluded.xattrs)
        """

    static func save(_ node: StoredNode, _ db: borrowing StoreConnection) throws {
        try db.withStatement(saving) { statement in
            let attributes = node.attributes
            try statement.bind(node.id, at: 1)
            try statement.bind(node.tree, at: 2)
            try statement.bind(Int64(attributes.kind.rawValue), at: 3)
            try statement.bind(Int64(attributes.mode), at: 4)
            try statement.bind(Int64(attributes.uid), at: 5)
            try statement.bind(Int64(attributes.gid), at: 6)
            try statement.bind(attributes.accessed, at: 7)
            try statement.bind(attributes.modified, at: 8)
            try statement.bind(attributes.changed, at: 9)
            try statement.bind(attributes.size, at: 10)
            try statement.bind(Int64(attributes.links), at: 11)
            try statement.bind(node.revision, at: 12)
            try statement.bind(node.content, at: 13)
            try statement.bind(node.entryCount, at: 14)
            try statement.bind(node.contentBytes, at: 15)
            if let maker = node.maker {
                try statement.bind(maker.device, at: 16)
                try statement.bind(maker.sequence, at: 17)
            } else {
                try statement.bindNull(at: 16)
                try statement.bindNull(at: 17)
            }
            if let parent = node.parent { try statement.bind(parent, at: 18) } else { try statement.bindNull(at: 18) }
            if let target = node.target { try statement.bind(target, at: 19) } else { try statement.bindNull(at: 19) }
            if let removed = node.removed {
                try statement.bind(removed, at: 20)
            } else {
                try statement.bindNull(at: 20)
            }
            if let creator = node.creator {
                try statement.bind(creator, at: 21)
            } else {
                try statement.bindNull(at: 21)
            }
            try statement.bind(Int64(node.sharing.rawValue), at: 22)
            if let name = node.removedName { try statement.bind(name, at: 23) } else { try statement.bindNull(at: 23) }
            if let remover = node.remover {
                try statement.bind(remover, at: 24)
            } else {
                try statement.bindNull(at: 24)
            }
            try statement.bind(node.trashBytes, at: 25)
            try statement.bind(node.trashFiles, at: 26)
            try statement.bind(Int64(attributes.device), at: 27)
            if node.extended.isEmpty {
                try statement.bindNull(at: 28)
            } else {
                try statement.bind(node.extended.encoded, at: 28)
            }
            if let made = node.made { try statement.bind(made, at: 29) } else { try statement.bindNull(at: 29) }
            try statement.run()
        }
    }

    /// On PostgreSQL all of them by one statement.
    static func save(_ nodes: [StoredNode], _ db: borrowing StoreConnection) throws {
        guard db.isPostgres, nodes.count > 1 else {
            for node in nodes { try save(node, db) }
            return
        }
        try db.insert(saving, types: "biiiiiiiiiiiiiiiibbibibbiiibi", rows: nodes.map(row))
    }

    private static func row(_ node: StoredNode) -> [Value] {
        let attributes = node.attributes
        return [
            .id(node.id), .integer(node.tree), .integer(Int64(attributes.kind.rawValue)),
            .integer(Int64(attributes.mode)), .integer(Int64(attributes.uid)), .integer(Int64(attributes.gid)),
            .time(attributes.accessed), .time(attributes.modified), .time(attributes.changed),
            .integer(attributes.size), .integer(Int64(attributes.links)), .integer(node.revision),
            .integer(node.content), .integer(node.entryCount), .integer(node.contentBytes),
            .optional(node.maker?.device), .optional(node.maker?.sequence), .optional(node.parent),
            .optional(node.target), .optional(node.removed), .optional(node.creator),
            .integer(Int64(node.sharing.rawValue)), .optional(node.removedName?.bytes), .optional(node.remover),
            .integer(node.trashBytes), .integer(node.trashFiles), .integer(Int64(attributes.device)),
            .optional(node.extended.isEmpty ? nil : node.extended.encoded), .optional(node.made),
        ]
    }

    /// What there is of these, on PostgreSQL.
    static func loadSet(_ ids: [NodeID], _ db: borrowing StoreConnection) throws -> [NodeID: StoredNode] {
        var nodes: [NodeID: StoredNode] = [:]
        try db.withStatement(
            """
            SELECT id, tree, kind, mode, uid, gid, accessed, modified, changed, size, links, revision, content,
                entry_count, content_bytes, maker_device, maker_sequence, parent, target, removed, creator, sharing,
                removed_name, remover, trash_bytes, trash_files, device, xattrs, made
            FROM nodes WHERE id = ANY(?1)
            """
        ) { statement in
            statement.bind(set: .ids(ids), at: 1)
            while try statement.step() {
                let node = try node(statement, from: 0)
                nodes[node.id] = node
            }
        }
        return nodes
    }

    /// A folder and those above it, on PostgreSQL.
    static func line(from folder: NodeID, _ db: borrowing StoreConnection) throws -> [NodeID] {
        try db.query(
            """
            WITH RECURSIVE line AS (
                SELECT id, parent FROM nodes WHERE id = ?1
                UNION SELECT nodes.id, nodes.parent FROM nodes JOIN line ON nodes.id = line.parent
            )
            SELECT id FROM line
            """,
            [.id(folder)]
        ) { try $0.identifier(0) }
    }

    /// Nodes that lost their last name before then and do not lie in the trash.
    static func removed(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> [NodeID] {
        try db.query(
            """
            SELECT id FROM nodes WHERE removed IS NOT NULL AND removed < ?1 AND removed_name IS NULL
            ORDER BY removed LIMIT ?2
            """,
            [.time(time), .integer(limit)]
        ) { try $0.identifier(0) }
    }

    /// Nodes of a tree about which something was said that lets others see them.
    static func shared(
        in tree: TreeNumber,
        after node: NodeID?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [NodeID] {
        try db.query(
            "SELECT id FROM nodes WHERE tree = ?1 AND sharing <> 0 AND id > ?2 ORDER BY id LIMIT ?3",
            [.integer(tree), .blob(node?.bytes ?? []), .integer(limit)]
        ) { try $0.identifier(0) }
    }

    static func delete(_ id: NodeID, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM nodes WHERE id = ?1", [.id(id)])
    }
}
