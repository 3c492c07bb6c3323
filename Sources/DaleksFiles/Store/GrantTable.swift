import DaleksAPI
import DaleksCore
import DaleksSQLite

/// `grants`: who was given what on which node. A row that has expired grants nothing and stays until it is collected.
enum GrantTable {
    /// What somebody was granted on this very node and still has.
    static func rights(
        of grantee: UserID,
        on node: NodeID,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> GrantedRights? {
        try db.withStatement(
            "SELECT rights, expires, granted, sequence FROM grants WHERE node = ?1 AND grantee = ?2"
        ) { statement in
            try statement.bind(node, at: 1)
            try statement.bind(grantee, at: 2)
            guard try statement.step() else { return nil }
            let expires = try statement.optionalTimestamp(1)
            if let expires, expires <= time { return nil }
            return GrantedRights(
                rights: rights(try statement.int64(0)),
                expires: expires,
                since: Standing.Readable(time: try statement.timestamp(2), sequence: try statement.int64(3))
            )
        }
    }

    private static func rights(_ stored: Int64) -> Rights {
        Rights(rawValue: UInt8(truncatingIfNeeded: stored)).intersection(.all)
    }

    static func load(_ node: NodeID, _ grantee: UserID, _ db: borrowing StoreConnection) throws -> Grant? {
        try db.first(
            "SELECT node, grantee, rights, grantor, granted, expires FROM grants WHERE node = ?1 AND grantee = ?2",
            [.id(node), .id(grantee)],
            grant
        )
    }

    static func grants(on node: NodeID, _ db: borrowing StoreConnection) throws -> [Grant] {
        try db.query(
            "SELECT node, grantee, rights, grantor, granted, expires FROM grants WHERE node = ?1 ORDER BY grantee",
            [.id(node)],
            grant
        )
    }

    /// What somebody was granted, by node.
    static func grants(
        to grantee: UserID,
        after node: NodeID?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [Grant] {
        try db.query(
            """
            SELECT node, grantee, rights, grantor, granted, expires FROM grants
            WHERE grantee = ?1 AND node > ?2 ORDER BY node LIMIT ?3
            """,
            [.id(grantee), .blob(node?.bytes ?? []), .integer(limit)],
            grant
        )
    }

    /// What was granted in a tree.
    static func grants(in tree: TreeNumber, limit: Int, _ db: borrowing StoreConnection) throws -> [Grant] {
        try db.query(
            """
            SELECT node, grantee, rights, grantor, granted, expires FROM grants WHERE tree = ?1 ORDER BY node LIMIT ?2
            """,
            [.integer(tree), .integer(limit)],
            grant
        )
    }

    /// Whether somebody was granted anything that still holds in a tree.
    static func hasGrants(
        _ grantee: UserID,
        in tree: TreeNumber,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        try db.exists(
            "SELECT 1 FROM grants WHERE grantee = ?1 AND tree = ?2 AND (expires IS NULL OR expires > ?3) LIMIT 1",
            [.id(grantee), .integer(tree), .time(time)]
        )
    }

    static func count(in tree: TreeNumber, _ db: borrowing StoreConnection) throws -> Int64 {
        try db.first("SELECT count(*) FROM grants WHERE tree = ?1", [.integer(tree)]) { try $0.int64(0) } ?? 0
    }

    /// `since` is the tree's sequence from which on the grantee may hear of it.
    static func save(
        _ grant: Grant,
        in tree: TreeNumber,
        since sequence: Revision,
        _ db: borrowing StoreConnection
    ) throws {
        try delete(grant.node, grant.user, db)
        try db.execute(
            """
            INSERT INTO grants (node, grantee, tree, rights, grantor, granted, expires, sequence)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """,
            [
                .id(grant.node), .id(grant.user), .integer(tree), .integer(Int64(grant.rights.rawValue)),
                .id(grant.grantor), .time(grant.granted), .optional(grant.expires), .integer(sequence),
            ]
        )
    }

    /// What was granted on a node is granted on another from now on, too.
    static func inherit(
        from old: NodeID,
        to new: NodeID,
        in tree: TreeNumber,
        since sequence: Revision,
        _ db: borrowing StoreConnection
    ) throws {
        for var grant in try grants(on: old, db) {
            grant.node = new
            try save(grant, in: tree, since: sequence, db)
        }
    }

    static func delete(_ node: NodeID, _ grantee: UserID, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM grants WHERE node = ?1 AND grantee = ?2", [.id(node), .id(grantee)])
    }

    static func delete(on node: NodeID, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM grants WHERE node = ?1", [.id(node)])
    }

    private static func grant(_ row: borrowing StoreStatement) throws -> Grant {
        Grant(
            node: try row.identifier(0),
            user: try row.identifier(1),
            rights: rights(try row.int64(2)),
            grantor: try row.identifier(3),
            granted: try row.timestamp(4),
            expires: try row.optionalTimestamp(5)
        )
    }
}
