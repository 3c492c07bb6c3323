import DaleksAPI
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// What people hear in their own feeds of others' nodes that are granted to them.
enum ShareNews {
    /// What somebody may do with a node now.
    static func share(
        of node: StoredNode,
        in tree: TreeState,
        with user: UserID,
        at now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Change.Share {
        // Nothing of a transaction that may yet fail goes into the cache that all share.
        let question = AccessTable.Question(tree: tree, caller: user, now: now, cache: AccessCache())
        let standing = try AccessTable.standing(of: node, question, db)
        let rights = standing.isReachable ? standing.access.rights : []
        return Change.Share(
            node: node.id,
            owner: tree.owner,
            rights: rights.isEmpty ? nil : rights,
            expires: standing.expires
        )
    }

    /// One change in the feed of somebody, whose tree is made where there is none.
    static func tell(
        _ user: UserID,
        of shares: [Change.Share],
        at now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        // Nobody is left to hear it, and no tree is made for them again.
        guard try !ErasureTable.contains(user, db) else { return }
        let known = try TreeTable.load(owner: user, db)
        let made = known == nil ? try TreeTable.create(owner: user, root: .random(at: now), at: now, db) : nil
        // Nil twice: somebody else made it just now.
        guard let number = try (known ?? made ?? TreeTable.load(owner: user, db))?.number,
            let tree = try TreeTable.lock(number: number, db)
        else { throw RecordError(record: "tree") }
        var session = DraftSession(tree: tree, caller: user, bytesQuota: .max, now: now)
        session.tell(shares)
        try session.save(db)
    }

    /// After nodes came or went: those to whom they are granted, each in one change. Whose feeds have news of it.
    static func tell(
        about nodes: [NodeID],
        of number: TreeNumber,
        at now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> [UserID] {
        guard !nodes.isEmpty, let tree = try TreeTable.lock(number: number, db) else { return [] }
        var shares: [UserID: [Change.Share]] = [:]
        for id in Set(nodes) {
            guard let node = try NodeTable.load(id, db) else { continue }
            for grant in try GrantTable.grants(on: id, db) where grant.expires.map({ $0 > now }) ?? true {
                shares[grant.user, default: []].append(try share(of: node, in: tree, with: grant.user, at: now, db))
            }
        }
        for (user, shares) in shares { try tell(user, of: shares, at: now, db) }
        return Array(shares.keys)
    }
}
