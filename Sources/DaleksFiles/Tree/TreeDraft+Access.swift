import DaleksAPI
import DaleksCore

/// What somebody is to a node, and whether the node can be reached from its tree's root at all.
struct Standing: Hashable, Sendable {
    var access = Access()
    /// False for what lies in the trash, or below something that does.
    var isReachable = false
    /// Where the caller's grants stand, from the node upwards: the shares that the node is in.
    var roots: [NodeID] = []
    /// When the first of those grants ends.
    var expires: Timestamp?

    mutating func add(_ grant: GrantedRights?, on node: NodeID) {
        guard let grant, !grant.rights.isEmpty else { return }
        access.granted.formUnion(grant.rights)
        roots.append(node)
        if let end = grant.expires { expires = min(expires ?? end, end) }
    }

    /// Another way to the same node.
    mutating func join(_ other: Standing) {
        access = access.union(other.access)
        isReachable = isReachable || other.isReachable
        roots += other.roots.filter { !roots.contains($0) }
        if let end = other.expires { expires = min(expires ?? end, end) }
    }
}

/// What the caller was granted on one node itself.
struct GrantedRights: Hashable, Sendable {
    var rights: Rights
    var expires: Timestamp?
}

/// Rights as the draft's own state makes them: what an operation moved before counts for those after it.
extension TreeDraft {
    var isOwner: Bool { caller == tree.owner }

    func standing(of node: StoredNode) throws(Stop) -> Standing {
        if node.isFolder { return try standing(ofFolder: node.id) }
        var standing = Standing()
        for parent in try parents(of: node) { standing.join(try self.standing(ofFolder: parent)) }
        if node.removed != nil { standing.isReachable = false }
        try addDirect(node, to: &standing)
        standing.access.isCreator = node.creator == caller
        return standing
    }

    private func standing(ofFolder id: NodeID) throws(Stop) -> Standing {
        var standing = Standing()
        standing.access.isOwner = isOwner
        var isWhole = true
        var next: NodeID? = id
        while let id = next {
            guard let folder = try node(id), folder.tree == tree.number else { return standing }
            try addDirect(folder, to: &standing)
            if !folder.isLive { isWhole = false }
            if id == tree.root {
                standing.isReachable = isWhole
                return standing
            }
            next = folder.parent
        }
        return standing
    }

    private func addDirect(_ node: StoredNode, to standing: inout Standing) throws(Stop) {
        standing.access.isOwner = isOwner
        guard !isOwner, !node.sharing.isEmpty else { return }
        if node.sharing.contains(.published) { standing.access.isPublic = true }
        if node.sharing.contains(.granted) { standing.add(try grant(on: node.id), on: node.id) }
    }

    private func parents(of node: StoredNode) throws(Stop) -> [NodeID] {
        if let parent = node.parent, node.attributes.links <= 1 { return [parent] }
        return try names(of: node.id).map(\.parent)
    }

    /// A node of this tree that has a name (or is the root) and on which the act is allowed.
    func liveNode(_ id: NodeID, for act: Act) throws(Stop) -> StoredNode {
        guard let node = try node(id), node.isLive, node.tree == tree.number else { throw .conflict(.missing) }
        try check(try standing(of: node), act)
        return node
    }

    /// The same for a folder; `isCreator` where the caller made what is to be changed or removed in it.
    func liveFolder(_ id: NodeID, for act: Act, isCreator: Bool = false) throws(Stop) -> StoredNode {
        guard let folder = try node(id), folder.isLive, folder.tree == tree.number else { throw .conflict(.missing) }
        var standing = try standing(of: folder)
        standing.access.isCreator = isCreator
        try check(standing, act)
        guard folder.isFolder else { throw .conflict(.kind, try record(folder)) }
        return folder
    }

    private func check(_ standing: Standing, _ act: Act) throws(Stop) {
        guard standing.isReachable else { throw .conflict(.missing) }
        switch standing.access.decide(act) {
        case .allowed: return
        case .hidden: throw .conflict(.missing)
        case .refused: throw .denied("forbidden", "the caller sees this and may not do that to it")
        }
    }

    /// Whether the caller made the node in somebody else's tree.
    func isCreator(of id: NodeID) throws(Stop) -> Bool {
        guard !isOwner, let node = try node(id) else { return false }
        return node.creator == caller
    }

    /// What somebody who is not the owner moves or links stays within one share, so that no share widens another.
    func refuseCrossing(_ from: StoredNode, _ folder: StoredNode) throws(Stop) {
        guard !isOwner else { return }
        let roots = try standing(of: folder).roots
        guard try standing(of: from).roots.contains(where: { roots.contains($0) }) else {
            throw .denied("cross_share", "the two lie in different shares")
        }
    }

    /// The node as the caller may see it; nil where it may not.
    func record(_ node: StoredNode) throws(Stop) -> NodeRecord? {
        var record = node.record(owner: tree.owner)
        guard !isOwner else { return record }
        let access = try standing(of: node).access
        guard access.decide(.see) == .allowed else { return nil }
        record.rights = access.rights
        return record
    }
}
