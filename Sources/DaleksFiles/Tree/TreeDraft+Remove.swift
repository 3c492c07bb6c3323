import DaleksAPI
import DaleksCore

extension TreeDraft {
    mutating func remove(
        _ key: EntryKey,
        _ id: NodeID,
        _ time: Timestamp,
        by author: Author
    ) throws(Stop) -> OperationResult.Outcome {
        _ = try liveFolder(key.parent, for: .remove, isCreator: try isCreator(of: id))
        let node = try expected(id, at: key)
        guard node.entryCount == 0 else { throw .conflict(.notEmpty, try record(node)) }

        loseName(node, at: key, time)
        put(entry: key, nil)
        try touch(key.parent, time, entries: -1, folders: node.isFolder ? -1 : 0)
        return .done(
            revision: finish(author, nodes: [id, key.parent], entries: [key.stating(nil)]),
            content: nil
        )
    }

    mutating func setAttributes(
        _ change: Mutation.AttributeChange,
        by author: Author
    ) throws(Stop) -> OperationResult.Outcome {
        var node = try liveNode(change.node, for: .change)
        if let mode = change.mode { node.attributes.mode = mode & 0o7777 }
        if let uid = change.uid { node.attributes.uid = uid }
        if let gid = change.gid { node.attributes.gid = gid }
        if let accessed = change.accessed { node.attributes.accessed = accessed }
        if let modified = change.modified { node.attributes.modified = modified }
        node.attributes.changed = change.time
        put(node)
        return .done(revision: finish(author, nodes: [node.id]), content: nil)
    }

    mutating func setExtended(
        _ change: Mutation.ExtendedChange,
        by author: Author
    ) throws(Stop) -> OperationResult.Outcome {
        var node = try liveNode(change.node, for: .change)
        guard node.extended.set(change.name, to: change.value) else {
            throw .denied("too_large", "the extended attributes of a node hold \(Limits.extendedBytesMax) bytes")
        }
        node.attributes.changed = change.time
        put(node)
        return .done(revision: finish(author, nodes: [node.id]), content: nil)
    }
}
