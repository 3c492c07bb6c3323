import DaleksAPI
import DaleksCore

extension TreeDraft {
    mutating func rename(_ rename: Mutation.Rename, by author: Author) throws(Stop) -> OperationResult.Outcome {
        let source = EntryKey(parent: rename.parent, name: rename.name)
        let target = EntryKey(parent: rename.toParent, name: rename.toName)
        let (node, occupant) = try permitted(rename, from: source, to: target)

        // Two names of one node, or one name twice: POSIX has nothing happen, and succeed.
        if occupant?.id == node.id { return .done(revision: node.revision, content: nil) }
        if rename.isExchange {
            return try exchange(node, at: source, occupant, at: target, rename, by: author)
        }
        if let occupant { try checkReplacement(of: occupant, by: node, expected: rename.replaces) }
        try refuseCycle(moving: node, into: target.parent)
        try refuseDepth(moving: node, from: source.parent, to: target.parent)

        var moved = node
        if let occupant {
            try takeOverSharing(of: occupant, by: &moved)
            loseName(occupant, at: target, rename.time, to: moved)
        }
        place(moved, in: target.parent, rename.time)
        put(entry: source, nil)
        put(entry: target, node.id)
        let folders: Int32 = node.isFolder ? 1 : 0
        try touch(source.parent, rename.time, entries: -1, folders: -folders)
        try touch(
            target.parent,
            rename.time,
            entries: occupant == nil ? 1 : 0,
            folders: folders - (occupant?.isFolder == true ? 1 : 0)
        )
        let revision = finish(
            author,
            nodes: [node.id, source.parent, target.parent] + (occupant.map { [$0.id] } ?? []),
            entries: [source.stating(nil), target.stating(node.id)]
        )
        return .done(revision: revision, content: nil)
    }

    /// Within a folder it is a change of the folder. Out of one it is a removal there, and at the target an addition,
    /// or a change where something is replaced.
    private func permitted(
        _ rename: Mutation.Rename,
        from source: EntryKey,
        to target: EntryKey
    ) throws(Stop) -> (node: StoredNode, occupant: StoredNode?) {
        let isOurs = try isCreator(of: rename.node)
        let replaced = try occupant(of: target)
        let isReplacedOurs = try replaced.map { node throws(Stop) in try isCreator(of: node.id) }
        if source.parent == target.parent {
            _ = try liveFolder(source.parent, for: .change, isCreator: isOurs && isReplacedOurs ?? true)
        } else {
            let from = try liveFolder(source.parent, for: .remove, isCreator: isOurs)
            let to: StoredNode
            if let isReplacedOurs {
                to = try liveFolder(target.parent, for: .change, isCreator: isReplacedOurs)
            } else {
                to = try liveFolder(target.parent, for: .add)
            }
            if rename.isExchange {
                _ = try liveFolder(source.parent, for: .add)
                _ = try liveFolder(target.parent, for: .remove, isCreator: isReplacedOurs ?? false)
            }
            try refuseCrossing(from, to)
        }
        return (try expected(rename.node, at: source), replaced)
    }

    private mutating func exchange(
        _ node: StoredNode,
        at source: EntryKey,
        _ other: StoredNode?,
        at target: EntryKey,
        _ rename: Mutation.Rename,
        by author: Author
    ) throws(Stop) -> OperationResult.Outcome {
        guard let other else { throw .conflict(.missing) }
        guard other.id == rename.replaces else { throw .conflict(.exists, try record(other)) }
        try refuseCycle(moving: node, into: target.parent)
        try refuseCycle(moving: other, into: source.parent)
        try refuseDepth(moving: node, from: source.parent, to: target.parent)
        try refuseDepth(moving: other, from: target.parent, to: source.parent)

        place(node, in: target.parent, rename.time)
        place(other, in: source.parent, rename.time)
        put(entry: source, other.id)
        put(entry: target, node.id)
        let folders: Int32 = (node.isFolder ? 1 : 0) - (other.isFolder ? 1 : 0)
        try touch(source.parent, rename.time, folders: -folders)
        try touch(target.parent, rename.time, folders: folders)
        let revision = finish(
            author,
            nodes: [node.id, other.id, source.parent, target.parent],
            entries: [source.stating(other.id), target.stating(node.id)]
        )
        return .done(revision: revision, content: nil)
    }

    private func checkReplacement(
        of occupant: StoredNode,
        by node: StoredNode,
        expected: NodeID?
    ) throws(Stop) {
        guard occupant.id == expected else { throw .conflict(.exists, try record(occupant)) }
        guard occupant.isFolder == node.isFolder else { throw .conflict(.kind, try record(occupant)) }
        guard occupant.entryCount == 0 else { throw .conflict(.notEmpty, try record(occupant)) }
    }

    /// Only a folder can come to lie in itself; following `parent` upwards ends at the root.
    private func refuseCycle(moving node: StoredNode, into folder: NodeID) throws(Stop) {
        guard node.isFolder else { return }
        var ancestor: NodeID? = folder
        while let id = ancestor {
            if id == node.id { throw .conflict(.cycle, try record(node)) }
            ancestor = try self.node(id)?.parent
        }
    }

    private mutating func place(_ node: StoredNode, in folder: NodeID, _ time: Timestamp) {
        var node = node
        node.attributes.changed = time
        if node.isFolder, node.parent != folder { accessChanged() }
        // Of several names it is not known here which one moved.
        node.parent = node.isFolder || node.attributes.links == 1 ? folder : nil
        put(node)
    }
}
