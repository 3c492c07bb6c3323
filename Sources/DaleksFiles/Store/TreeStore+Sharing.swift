import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Grants and visibility: each change one transaction, told to the owner's tree and to whom it concerns.
extension TreeStore {
    /// Something done, and whose feeds have news of it.
    struct Told<Value> {
        let value: Value
        let owners: [UserID]
    }

    func grants(on id: NodeID, for caller: UserID) throws(APIError) -> [Grant] {
        try read { db in
            _ = try shareable(id, by: caller, locking: false, db)
            return try GrantTable.grants(on: id, db)
        }
    }

    func grant(
        _ request: GrantRequest,
        to user: UserID,
        on id: NodeID,
        by caller: UserID
    ) throws(APIError) -> Told<Grant> {
        let now = time.wall
        return try write { db in try grant(request, to: user, on: id, by: caller, now, db) }
    }

    /// The same within a transaction.
    func grant(
        _ request: GrantRequest,
        to user: UserID,
        on id: NodeID,
        by caller: UserID,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Told<Grant> {
        let seen = try shareable(id, by: caller, db)
        try check(request, to: user, on: seen, by: caller, now, db)
        let grant = Grant(
            node: id,
            user: user,
            rights: request.rights,
            grantor: caller,
            granted: now,
            expires: request.expires
        )
        // Whoever could read it already goes on where they are in the feed; everybody else begins with this change.
        let known = try GrantTable.rights(of: user, on: id, at: now, db)
        let sequence = known.flatMap { $0.rights.contains(.read) ? $0.since.sequence : nil }
        try GrantTable.save(grant, in: seen.tree.number, since: sequence ?? seen.tree.sequence + 1, db)
        var node = seen.node
        node.sharing.insert(.granted)
        try saveSharing(of: node, in: seen, by: caller, telling: user, db)
        try AuditTable.record(
            .granted,
            in: seen.tree.number,
            at: now,
            by: caller,
            node: id,
            subject: user,
            detail: request.rights.description,
            db
        )
        return Told(value: grant, owners: [seen.tree.owner, user])
    }

    /// Takes back what stands on this very node. Who has it may always give it up.
    func revoke(_ user: UserID, on id: NodeID, by caller: UserID) throws(APIError) -> Told<Void> {
        let now = time.wall
        return try write { db in
            let isLeaving = user == caller
            guard let place = try NodeTable.load(id, db), let tree = try TreeTable.lock(number: place.tree, db),
                let grant = try GrantTable.load(id, user, db), let node = try NodeTable.load(id, db)
            else {
                if !isLeaving { _ = try shareable(id, by: caller, db) }
                throw APIError.notFound("there is no such grant")
            }
            let seen: Seen
            if isLeaving {
                seen = Seen(tree: tree, node: node, standing: Standing())
            } else {
                seen = try shareable(id, by: caller, db)
                guard grant.rights.isSubset(of: seen.standing.access.rights) else {
                    throw APIError.forbidden("the caller cannot take rights that it does not have itself")
                }
            }
            try GrantTable.delete(id, user, db)
            var changed = node
            if try GrantTable.grants(on: id, db).isEmpty { changed.sharing.remove(.granted) }
            try saveSharing(of: changed, in: seen, by: caller, telling: user, db)
            try AuditTable.record(
                isLeaving ? .left : .revoked,
                in: tree.number,
                at: now,
                by: caller,
                node: id,
                subject: user,
                db
            )
            return Told(value: (), owners: [tree.owner, user])
        }
    }

    func setVisibility(
        _ request: VisibilityRequest,
        of id: NodeID,
        by caller: UserID
    ) throws(APIError)
        -> Told<NodeRecord>
    {
        let now = time.wall
        return try write { db in try publish(request.isPublic, id, by: caller, now, db) }
    }

    /// The same within a transaction.
    func publish(
        _ isPublic: Bool,
        _ id: NodeID,
        by caller: UserID,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Told<NodeRecord> {
        let seen = try shareable(id, by: caller, db)
        var node = seen.node
        if isPublic { node.sharing.insert(.published) } else { node.sharing.remove(.published) }
        let saved = try saveSharing(of: node, in: seen, by: caller, telling: nil, db)
        try AuditTable.record(
            isPublic ? .published : .unpublished,
            in: seen.tree.number,
            at: now,
            by: caller,
            node: id,
            db
        )
        let record = Seen(tree: seen.tree, node: saved, standing: seen.standing).record
        return Told(value: record, owners: [seen.tree.owner])
    }

    // MARK: Parts

    /// A node that has a name and that the caller may share.
    func shareable(
        _ id: NodeID,
        by caller: UserID,
        locking: Bool = true,
        _ db: borrowing StoreConnection
    ) throws -> Seen {
        let seen = try visible(id, to: caller, for: .share, locking: locking, db)
        guard seen.standing.isReachable else { throw Self.hidden }
        return seen
    }

    private func check(
        _ request: GrantRequest,
        to user: UserID,
        on seen: Seen,
        by caller: UserID,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        guard user != seen.tree.owner else { throw APIError.invalid("its owner has all rights already") }
        guard user != caller else { throw APIError.forbidden("nobody gives rights to themselves") }
        guard try !ErasureTable.contains(user, db) else { throw APIError.invalid("the user's account was deleted") }
        if let expires = request.expires, expires <= now { throw APIError.invalid("the grant would have expired") }
        let mine = seen.standing.access.rights
        let before = try GrantTable.load(seen.node.id, user, db)?.rights ?? []
        guard request.rights.isSubset(of: mine), before.isSubset(of: mine) else {
            throw APIError.forbidden("the caller cannot give or take rights that it does not have itself")
        }
        guard try GrantTable.grants(on: seen.node.id, db).count < Limits.Files.grantsOfNodeMax || !before.isEmpty,
            try GrantTable.count(in: seen.tree.number, db) < Limits.Files.grantsOfTreeMax
        else { throw APIError.invalid("there are too many grants already") }
    }

    /// The node as it is shared now, in its owner's feed; and in the feed of whom it concerns what he sees of it.
    @discardableResult
    func saveSharing(
        of node: StoredNode,
        in seen: Seen,
        by caller: UserID,
        telling user: UserID?,
        _ db: borrowing StoreConnection
    ) throws -> StoredNode {
        let now = time.wall
        var session = DraftSession(tree: seen.tree, caller: caller, bytesQuota: bytesQuota, now: now)
        let tree = session.share(node)
        try session.save(db)
        if let user {
            let share = try ShareNews.share(of: node, in: tree, with: user, at: now, db)
            try ShareNews.tell(user, of: [share], at: now, db)
        }
        return session.known(node.id) ?? node
    }
}
