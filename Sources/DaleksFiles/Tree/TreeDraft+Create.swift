import DaleksAPI
import DaleksCore

extension TreeDraft {
    mutating func create(_ creation: Mutation.Creation, by author: Author) throws(Stop) -> OperationResult.Outcome {
        let key = EntryKey(parent: creation.parent, name: creation.name)
        _ = try liveFolder(creation.parent, for: .add)
        try refuseTaken(key)
        if let other = try node(creation.node) {
            // Ids are drawn from 128 bits, so this is a device that repeats itself. What another owner has is not said.
            throw .conflict(.exists, other.tree == tree.number ? try record(other) : nil)
        }

        let isFolder = creation.kind == .folder
        if isFolder { try refuseDepth(in: creation.parent) }
        var node = StoredNode(
            id: creation.node,
            tree: tree.number,
            attributes: Attributes(
                kind: creation.kind,
                mode: creation.mode,
                uid: creation.uid,
                gid: creation.gid,
                accessed: creation.time,
                modified: creation.time,
                changed: creation.time,
                size: Int64(creation.target?.count ?? 0),
                links: isFolder ? 2 : 1,
                device: creation.device
            ),
            revision: nextRevision,
            content: 0,
            target: creation.target,
            parent: creation.parent,
            maker: author.mark,
            made: now
        )
        node.creator = isOwner ? nil : caller
        put(node)
        put(entry: key, creation.node)
        try touch(creation.parent, creation.time, entries: 1, folders: isFolder ? 1 : 0)
        account(files: 1)
        let revision = finish(author, nodes: [creation.node, creation.parent], entries: [key.stating(creation.node)])
        return .done(revision: revision, content: nil)
    }

    mutating func link(
        _ key: EntryKey,
        _ id: NodeID,
        _ time: Timestamp,
        by author: Author
    ) throws(Stop) -> OperationResult.Outcome {
        let folder = try liveFolder(key.parent, for: .add)
        var node = try liveNode(id, for: .share)
        guard !node.isFolder else { throw .conflict(.kind, try record(node)) }
        try refuseCrossing(node, folder)
        try refuseTaken(key)
        guard node.attributes.links < Limits.linksMax else {
            throw .denied("invalid", "a node has no more than \(Limits.linksMax) names")
        }

        node.attributes.links += 1
        node.attributes.changed = time
        put(node)
        put(entry: key, id)
        try touch(key.parent, time, entries: 1)
        return .done(
            revision: finish(author, nodes: [id, key.parent], entries: [key.stating(id)]),
            content: nil
        )
    }
}

extension EntryKey {
    /// As the feed tells it.
    func stating(_ node: NodeID?) -> Change.Entry { Change.Entry(parent: parent, name: name, node: node) }
}
