import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Grants that go because an account is gone, each in a transaction of its own: two trees are changed by it.
extension TreeStore {
    /// What others gave to somebody who is gone; whose feeds have news of it, one for each grant.
    func dropGrants(to user: UserID, limit: Int) throws(APIError) -> [UserID] {
        let grants = try read { db in try GrantTable.grants(to: user, after: nil, limit: limit, db) }
        return try grants.map { grant throws(APIError) in try drop(grant, isOwnerGone: false) }
    }

    /// What somebody who is gone gave to others.
    func dropGrants(in tree: TreeNumber, limit: Int) throws(APIError) -> [UserID] {
        let grants = try read { db in try GrantTable.grants(in: tree, limit: limit, db) }
        return try grants.map { grant throws(APIError) in try drop(grant, isOwnerGone: true) }
    }

    private func drop(_ grant: Grant, isOwnerGone: Bool) throws(APIError) -> UserID {
        try write { db in
            guard let place = try NodeTable.load(grant.node, db),
                let tree = try TreeTable.lock(number: place.tree, db), var node = try NodeTable.load(grant.node, db)
            else {
                try GrantTable.delete(grant.node, grant.user, db)
                return grant.user
            }
            try GrantTable.delete(grant.node, grant.user, db)
            if try GrantTable.grants(on: grant.node, db).isEmpty { node.sharing.remove(.granted) }
            let seen = Seen(tree: tree, node: node, standing: Standing())
            try saveSharing(of: node, in: seen, by: tree.owner, telling: isOwnerGone ? grant.user : nil, db)
            if !isOwnerGone {
                try AuditTable.record(
                    .revoked,
                    in: tree.number,
                    at: time.wall,
                    by: nil,
                    node: node.id,
                    subject: grant.user,
                    detail: "the account was deleted",
                    db
                )
            }
            return isOwnerGone ? grant.user : tree.owner
        }
    }
}
