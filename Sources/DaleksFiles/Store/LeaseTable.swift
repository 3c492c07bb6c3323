import DaleksAPI
import DaleksCore
import DaleksSQLite

/// `leases` and `lease_wishes`: who decides about locks on which file, and who wants to.
enum LeaseTable {
    /// What leases are given on: a file, in the tree where it lies. A file that the region does not know, or that the
    /// caller may not see, is one of the caller's own tree.
    struct Place: Hashable, Sendable {
        let tree: TreeNumber
        let node: NodeID
    }

    struct Lease: Hashable, Sendable {
        let place: Place
        let holder: LeaseHolder
        let number: Int64
        let mode: LeaseMode
        /// Others want it, and programs still hold locks under it.
        var isUsed: Bool
        var expires: Timestamp
    }

    struct Wish: Hashable, Sendable {
        let place: Place
        let holder: LeaseHolder
        let mode: LeaseMode
        let since: Timestamp
        let expires: Timestamp
    }

    /// The next number of the tree. Whoever takes one has the tree's leases to itself until the transaction ends.
    static func draw(in tree: TreeNumber, _ db: borrowing StoreConnection) throws -> Int64 {
        let number = try db.first(
            "UPDATE trees SET lease_number = lease_number + 1 WHERE number = ?1 RETURNING lease_number",
            [.integer(tree)]
        ) { try $0.int64(0) }
        guard let number else { throw RecordError(record: "tree") }
        return number
    }

    // MARK: Leases

    static func leases(on place: Place, at now: Timestamp, _ db: borrowing StoreConnection) throws -> [Lease] {
        try db.query(
            """
            SELECT tree, node, holder, device, number, mode, used, expires FROM leases
            WHERE tree = ?1 AND node = ?2 AND expires > ?3
            """,
            [.integer(place.tree), .id(place.node), .time(now)],
            lease
        )
    }

    static func leases(of holder: LeaseHolder, at now: Timestamp, _ db: borrowing StoreConnection) throws -> [Lease] {
        try db.query(
            """
            SELECT tree, node, holder, device, number, mode, used, expires FROM leases
            WHERE holder = ?1 AND device = ?2 AND expires > ?3
            """,
            [.id(holder.user), .id(holder.device), .time(now)],
            lease
        )
    }

    static func save(_ lease: Lease, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            INSERT INTO leases (tree, node, holder, device, number, mode, used, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            ON CONFLICT (tree, node, holder, device) DO UPDATE SET number = excluded.number, mode = excluded.mode,
                used = excluded.used, expires = excluded.expires
            """,
            [
                .integer(lease.place.tree), .id(lease.place.node), .id(lease.holder.user), .id(lease.holder.device),
                .integer(lease.number), .integer(number(of: lease.mode)), .bool(lease.isUsed), .time(lease.expires),
            ]
        )
    }

    /// Renews what is still the holder's; false where it is not, since another transaction may have been faster.
    static func renew(_ lease: Lease, at now: Timestamp, _ db: borrowing StoreConnection) throws -> Bool {
        try db.execute(
            """
            UPDATE leases SET used = ?6, expires = ?7
            WHERE tree = ?1 AND node = ?2 AND holder = ?3 AND device = ?4 AND number = ?5 AND expires > ?8
            """,
            [
                .integer(lease.place.tree), .id(lease.place.node), .id(lease.holder.user), .id(lease.holder.device),
                .integer(lease.number), .bool(lease.isUsed), .time(lease.expires), .time(now),
            ]
        ) > 0
    }

    static func clearUse(on place: Place, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "UPDATE leases SET used = 0 WHERE tree = ?1 AND node = ?2 AND used = 1",
            [.integer(place.tree), .id(place.node)]
        )
    }

    static func delete(_ lease: Lease, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            DELETE FROM leases WHERE tree = ?1 AND node = ?2 AND holder = ?3 AND device = ?4 AND number = ?5
            """,
            [
                .integer(lease.place.tree), .id(lease.place.node), .id(lease.holder.user), .id(lease.holder.device),
                .integer(lease.number),
            ]
        )
    }

    // MARK: Wishes

    static func wishes(on place: Place, at now: Timestamp, _ db: borrowing StoreConnection) throws -> [Wish] {
        try db.query(
            """
            SELECT tree, node, holder, device, mode, since, expires FROM lease_wishes
            WHERE tree = ?1 AND node = ?2 AND expires > ?3 ORDER BY since, holder, device
            """,
            [.integer(place.tree), .id(place.node), .time(now)],
            wish
        )
    }

    static func save(_ wish: Wish, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            INSERT INTO lease_wishes (tree, node, holder, device, mode, since, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (tree, node, holder, device) DO UPDATE SET mode = excluded.mode, since = excluded.since,
                expires = excluded.expires
            """,
            [
                .integer(wish.place.tree), .id(wish.place.node), .id(wish.holder.user), .id(wish.holder.device),
                .integer(number(of: wish.mode)), .time(wish.since), .time(wish.expires),
            ]
        )
    }

    static func places(
        wanted node: NodeID,
        by holder: LeaseHolder,
        _ db: borrowing StoreConnection
    ) throws -> [Place] {
        try db.query(
            "SELECT tree, node FROM lease_wishes WHERE node = ?1 AND holder = ?2 AND device = ?3",
            [.id(node), .id(holder.user), .id(holder.device)]
        ) { Place(tree: try $0.int64(0), node: try $0.identifier(1)) }
    }

    static func deleteWish(of holder: LeaseHolder, on place: Place, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "DELETE FROM lease_wishes WHERE tree = ?1 AND node = ?2 AND holder = ?3 AND device = ?4",
            [.integer(place.tree), .id(place.node), .id(holder.user), .id(holder.device)]
        )
    }

    /// Rows whose time is over.
    static func forget(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> Int {
        let leases = try db.execute(
            """
            DELETE FROM leases WHERE (tree, node, holder, device) IN
                (SELECT tree, node, holder, device FROM leases WHERE expires < ?1 LIMIT ?2) AND expires < ?1
            """,
            [.time(time), .integer(limit)]
        )
        let wishes = try db.execute(
            """
            DELETE FROM lease_wishes WHERE (tree, node, holder, device) IN
                (SELECT tree, node, holder, device FROM lease_wishes WHERE expires < ?1 LIMIT ?2) AND expires < ?1
            """,
            [.time(time), .integer(limit)]
        )
        return max(leases, wishes)
    }

    // MARK: Rows

    private static func number(of mode: LeaseMode) -> Int64 { mode == .exclusive ? 2 : 1 }

    private static func mode(_ stored: Int64) -> LeaseMode { stored == 2 ? .exclusive : .shared }

    private static func lease(_ row: borrowing StoreStatement) throws -> Lease {
        Lease(
            place: Place(tree: try row.int64(0), node: try row.identifier(1)),
            holder: LeaseHolder(user: try row.identifier(2), device: try row.identifier(3)),
            number: try row.int64(4),
            mode: mode(try row.int64(5)),
            isUsed: try row.bool(6),
            expires: try row.timestamp(7)
        )
    }

    private static func wish(_ row: borrowing StoreStatement) throws -> Wish {
        Wish(
            place: Place(tree: try row.int64(0), node: try row.identifier(1)),
            holder: LeaseHolder(user: try row.identifier(2), device: try row.identifier(3)),
            mode: mode(try row.int64(4)),
            since: try row.timestamp(5),
            expires: try row.timestamp(6)
        )
    }
}
