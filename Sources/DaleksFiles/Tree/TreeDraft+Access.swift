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
    /// When it was first cut off from the root: the oldest removal of the node or of something above it.
    var removed: Timestamp?
    /// Since when the caller may read it, by the region's clock and by the tree's sequence; nil where no grant says so.
    var readable: Readable?

    struct Readable: Hashable, Sendable {
        var time: Timestamp
        var sequence: Revision

        func union(_ other: Readable?) -> Readable {
            guard let other else { return self }
            return Readable(time: min(time, other.time), sequence: min(sequence, other.sequence))
        }
    }

    mutating func add(_ grant: GrantedRights?, on node: NodeID) {
        guard let grant, !grant.rights.isEmpty else { return }
        access.granted.formUnion(grant.rights)
        roots.append(node)
        if let end = grant.expires { expires = min(expires ?? end, end) }
        if grant.rights.contains(.read) { readable = grant.since.union(readable) }
    }

    mutating func cutOff(at time: Timestamp) {
        isReachable = false
        removed = min(removed ?? time, time)
    }

    /// Whether its bytes are the caller's to read: what was removed is, for a while, for those who could read it
    /// before, since they may have it open. What was granted or published since gives nothing of it.
    func isOpen(at now: Timestamp) -> Bool {
        if isReachable || access.isOwner { return true }
        guard let removed, let readable, readable.time <= removed else { return false }
        return now - removed <= Limits.Files.openAfterRemoval
    }

    /// Another way to the same node.
    mutating func join(_ other: Standing) {
        // The way that was cut off last counts.
        if roots.isEmpty, removed == nil, !isReachable {
            removed = other.removed
        } else if let mine = removed, let theirs = other.removed {
            removed = max(mine, theirs)
        }
        access = access.union(other.access)
        isReachable = isReachable || other.isReachable
        readable = other.readable.map { $0.union(readable) } ?? readable
        roots += other.roots.filter { !roots.contains($0) }
        if let end = other.expires { expires = min(expires ?? end, end) }
    }
}

/// What the caller was granted on one node itself.
struct GrantedRights: Hashable, Sendable {
    var rights: Rights
    var expires: Timestamp?
    var since: Standing.Readable
}

/// What the caller is to a folder, and how many folders lie above it.
struct FolderPlace: Hashable, Sendable {
    var standing = Standing()
    var depth = 0
}

/// Rights as the draft's own state makes them: what an operation moved before counts for those after it.
extension TreeDraft {
    var isOwner: Bool { caller == tree.owner }

    func standing(of node: StoredNode) throws(Stop) -> Standing {
        if node.isFolder { return try place(ofFolder: node.id).standing }
        var standing = Standing()
        for parent in try parents(of: node) { standing.join(try place(ofFolder: parent).standing) }
        if let removed = node.removed { standing.cutOff(at: removed) }
        try addDirect(node, to: &standing)
        standing.access.isCreator = node.creator == caller
        return standing
    }

    /// Up to what is remembered or the root, and down again.
    func place(ofFolder id: NodeID) throws(Stop) -> FolderPlace {
        var place = FolderPlace()
        place.standing.access.isOwner = isOwner
        var line: [StoredNode] = []
        var next: NodeID? = id
        while let id = next {
            if let known = folderPlaces[id] {
                place = known
                break
            }
            guard let folder = try node(id), folder.tree == tree.number else { break }
            line.append(folder)
            next = id == tree.root ? nil : folder.parent
        }
        for folder in line.reversed() {
            if folder.id == tree.root {
                place.standing.isReachable = true
            } else {
                place.depth += 1
            }
            if let removed = folder.removed { place.standing.cutOff(at: removed) }
            // The shares that it is in are told from the node upwards.
            let above = place.standing.roots
            place.standing.roots = []
            try addDirect(folder, to: &place.standing)
            place.standing.roots += above
            folderPlaces[folder.id] = place
        }
        return place
    }

    // MARK: Depth

    /// Folders lie in each other only so deep: every walk up or down has an end, and a stack that holds it.
    func refuseDepth(in parent: NodeID, height: Int = 0) throws(Stop) {
        guard try place(ofFolder: parent).depth + 1 + height <= Limits.Files.pathDepthMax else {
            throw .denied("too_deep", "folders lie in each other at most \(Limits.Files.pathDepthMax) deep")
        }
    }

    /// What does not come to lie deeper than it did is let through whatever lies in it.
    func refuseDepth(moving node: StoredNode, from source: NodeID, to target: NodeID) throws(Stop) {
        guard node.isFolder, try place(ofFolder: target).depth > place(ofFolder: source).depth else { return }
        try refuseDepth(in: target, height: try height(of: node))
    }

    /// How many folders lie in each other below a folder.
    func height(of folder: StoredNode) throws(Stop) -> Int {
        // Two names of its own, and one more for each folder in it.
        if folder.entryCount == 0 || folder.attributes.links == 2 { return 0 }
        return try knownHeight(of: folder.id)
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
