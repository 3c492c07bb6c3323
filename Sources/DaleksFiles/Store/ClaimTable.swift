import DaleksCore
import DaleksPostgres
import DaleksSQLite

/// `chunk_claims`: who brought which bytes into a tree that is not theirs.
///
/// Knowing a digest is not having the bytes. The owner may name what its files and versions consist of and what it put
/// itself; a guest only what it put. What only a guest put, and no file has yet, the owner may not name either.
enum ClaimTable {
    static func mayName(
        _ digest: Digest,
        in tree: TreeNumber,
        _ caller: UserID,
        isOwner: Bool,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        if try isClaimed(digest, in: tree, by: caller, db) { return true }
        guard isOwner, try isClaimed(digest, in: tree, db) else { return isOwner }
        return try ChunkTable.unusedSince(digest, in: tree, db) == nil
    }

    /// As above, from what was loaded for many: who claims it, and whether a manifest names it.
    static func mayName(_ claimants: Set<UserID>?, isUsed: Bool, _ caller: UserID, isOwner: Bool) -> Bool {
        guard let claimants, !claimants.contains(caller) else { return isOwner || claimants != nil }
        return isOwner && isUsed
    }

    /// By digest, who brought it; those that nobody did are absent.
    static func claims(
        _ digests: [Digest],
        in tree: TreeNumber,
        _ db: borrowing StoreConnection
    ) throws -> [Digest: Set<UserID>] {
        var claims: [Digest: Set<UserID>] = [:]
        if case .postgres(let connection) = db.backend {
            let rows = try connection.pointee.query(
                "SELECT digest, claimant FROM chunk_claims WHERE tree = $1 AND digest = ANY($2)",
                [.integer(tree), .digests(digests)]
            )
            for row in rows { claims[try row.digest(0), default: []].insert(try row.identifier(1)) }
            return claims
        }
        for digest in digests {
            try db.withStatement("SELECT claimant FROM chunk_claims WHERE tree = ?1 AND digest = ?2") { statement in
                try statement.bind(tree, at: 1)
                try statement.bind(digest, at: 2)
                while try statement.step() { claims[digest, default: []].insert(try statement.identifier(0)) }
            }
        }
        return claims
    }

    private static func isClaimed(
        _ digest: Digest,
        in tree: TreeNumber,
        by claimant: UserID,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        try db.withStatement(
            "SELECT 1 FROM chunk_claims WHERE tree = ?1 AND digest = ?2 AND claimant = ?3"
        ) { statement in
            try statement.bind(tree, at: 1)
            try statement.bind(digest, at: 2)
            try statement.bind(claimant, at: 3)
            return try statement.step()
        }
    }

    static func isClaimed(_ digest: Digest, in tree: TreeNumber, _ db: borrowing StoreConnection) throws -> Bool {
        try db.withStatement("SELECT 1 FROM chunk_claims WHERE tree = ?1 AND digest = ?2 LIMIT 1") { statement in
            try statement.bind(tree, at: 1)
            try statement.bind(digest, at: 2)
            return try statement.step()
        }
    }

    static func claim(
        _ digest: Digest,
        in tree: TreeNumber,
        by claimant: UserID,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        try db.execute(
            """
            INSERT INTO chunk_claims (tree, digest, claimant, claimed) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (tree, digest, claimant) DO UPDATE SET claimed = excluded.claimed
            """,
            [.integer(tree), .digest(digest), .id(claimant), .time(time)]
        )
    }

    static func forget(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> Int {
        let claims = try db.query(
            "SELECT tree, digest, claimant FROM chunk_claims WHERE claimed < ?1 LIMIT ?2",
            [.time(time), .integer(limit)]
        ) { (try $0.int64(0), try $0.digest(1), try $0.blob(2)) }
        for (tree, digest, claimant) in claims {
            try db.execute(
                "DELETE FROM chunk_claims WHERE tree = ?1 AND digest = ?2 AND claimant = ?3",
                [.integer(tree), .digest(digest), .blob(claimant)]
            )
        }
        return claims.count
    }
}
