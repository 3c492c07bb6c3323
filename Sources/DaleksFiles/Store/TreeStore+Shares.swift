import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What is shared with whom, and why somebody may do something.
extension TreeStore {
    func accessRecord(to id: NodeID, for caller: UserID) throws(APIError) -> AccessRecord {
        let now = time.wall
        return try read { db in
            let seen = try visible(id, to: caller, db)
            var reasons: [AccessRecord.Reason] = []
            if !seen.standing.access.isOwner {
                var next: [NodeID] = [id]
                var known: Set<NodeID> = []
                while let place = next.popLast() {
                    guard known.insert(place).inserted, let node = try NodeTable.load(place, db) else { continue }
                    reasons += try self.reasons(on: node, for: caller, now, db)
                    if let parent = node.parent, node.isFolder || node.attributes.links <= 1 {
                        next.append(parent)
                    } else {
                        next += try EntryTable.parents(of: place, db).map(\.parent)
                    }
                }
            }
            let access = seen.standing.access
            return AccessRecord(
                owner: seen.tree.owner,
                isOwner: access.isOwner,
                rights: access.rights,
                visibility: seen.node.sharing.visibility,
                reasons: reasons,
                why: access.isOwner ? ["all: the caller owns it"] : reasons.map { $0.sentence(owner: seen.tree.owner) }
            )
        }
    }

    private func reasons(
        on node: StoredNode,
        for caller: UserID,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> [AccessRecord.Reason] {
        var reasons: [AccessRecord.Reason] = []
        guard !node.sharing.isEmpty else { return [] }
        let name = try PathFinder.name(of: node, db)
        if let grant = try GrantTable.load(node.id, caller, db), grant.expires.map({ $0 > now }) ?? true {
            reasons.append(
                AccessRecord.Reason(
                    rights: grant.rights,
                    node: node.id,
                    name: name,
                    grantor: grant.grantor,
                    expires: grant.expires
                )
            )
        }
        if node.sharing.contains(.published) {
            reasons.append(
                AccessRecord.Reason(rights: .read, node: node.id, name: name, grantor: nil, expires: nil)
            )
        }
        return reasons
    }

    func sharedWithMe(_ caller: UserID, after node: NodeID?, limit: Int) throws(APIError) -> SharedWithMe {
        let now = time.wall
        let mine = try tree(of: caller)
        return try read { db in
            let grants = try GrantTable.grants(to: caller, after: node, limit: limit, db)
            var items: [SharedItem] = []
            for grant in grants where grant.expires.map({ $0 > now }) ?? true {
                guard let node = try NodeTable.load(grant.node, db),
                    let tree = try TreeTable.load(number: node.tree, db)
                else { continue }
                let question = AccessTable.Question(tree: tree, caller: caller, now: now, cache: access)
                let standing = try AccessTable.standing(of: node, question, db)
                guard standing.isReachable else { continue }
                items.append(
                    SharedItem(
                        node: Seen(tree: tree, node: node, standing: standing).record,
                        name: try PathFinder.name(of: node, db) ?? Self.rootName,
                        grantor: grant.grantor,
                        granted: grant.granted,
                        expires: grant.expires,
                        within: standing.roots.last { $0 != node.id },
                        cursor: tree.cursor.description
                    )
                )
            }
            return SharedWithMe(
                items: items,
                next: grants.count == limit ? grants.last?.node : nil,
                cursor: (try TreeTable.load(owner: caller, db) ?? mine).cursor.description
            )
        }
    }

    func sharedByMe(_ caller: UserID, after node: NodeID?, limit: Int) throws(APIError) -> SharedByMe {
        let mine = try tree(of: caller)
        return try read { db in
            let ids = try NodeTable.shared(in: mine.number, after: node, limit: limit, db)
            var items: [SharedByMe.Item] = []
            for id in ids {
                guard let node = try NodeTable.load(id, db), node.isLive,
                    let names = try PathFinder.names(of: id, below: { $0 == mine.root }, db)
                else { continue }
                items.append(
                    SharedByMe.Item(
                        node: node.record(owner: caller),
                        path: PathFinder.text(names),
                        grants: try GrantTable.grants(on: id, db)
                    )
                )
            }
            return SharedByMe(items: items, next: ids.count == limit ? ids.last : nil)
        }
    }

    /// What a share of somebody's whole tree is called, whose root has no name.
    static var rootName: Name {
        guard let name = try? Name("All files") else { preconditionFailure("this is a name") }
        return name
    }
}

extension AccessRecord.Reason {
    /// For people.
    fileprivate func sentence(owner: UserID) -> String {
        let place = name.map { "“\($0)”" } ?? "everything"
        guard let grantor else { return "\(rights): \(place) is public" }
        let by = grantor == owner ? "its owner" : "user \(grantor)"
        let end = expires.map { ", expires \($0.rfc3339())" } ?? ""
        return "\(rights): granted on \(place) by \(by)\(end)"
    }
}
