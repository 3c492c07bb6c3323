import DaleksAPI
import DaleksCore

/// Whole folders to the trash, and the way back.
extension TreeDraft {
    /// Removes a name and all that lies below it. `subtree` was counted in this transaction, before anything changed.
    mutating func discard(
        _ key: EntryKey,
        _ id: NodeID,
        _ subtree: TrashTable.Subtree,
        by author: Author
    ) throws(Stop) -> Revision {
        _ = try liveFolder(key.parent, for: .remove, isCreator: try isCreator(of: id))
        let node = try expected(id, at: key)
        // Somebody who may delete here because he made the folder did not make all that is in it.
        if node.entryCount > 0 { _ = try liveFolder(key.parent, for: .remove) }
        var others: [StoredNode] = []
        for name in subtree.sharedNames {
            guard let other = try occupant(of: name) else { throw .conflict(.missing) }
            others.append(other)
        }
        for name in subtree.sharedNames { _ = try folder(name.parent) }

        // Files that have names elsewhere live on there: their names in here go for good.
        for (name, other) in zip(subtree.sharedNames, others) {
            put(entry: name, nil)
            if let current = known(other.id) { loseName(current, at: name, now) }
            try touch(name.parent, now, entries: -1)
        }
        // It may have lost an entry just now.
        loseName(known(node.id) ?? node, at: key, now)
        put(entry: key, nil)
        try touch(key.parent, now, entries: -1, folders: node.isFolder ? -1 : 0)
        if node.isFolder { addToTrash(node.id, bytes: subtree.bytes, files: subtree.files) }
        return finish(author, nodes: [id, key.parent], entries: [key.stating(nil)])
    }

    private func folder(_ id: NodeID) throws(Stop) -> StoredNode {
        guard let folder = try node(id) else { throw .conflict(.missing) }
        return folder
    }

    /// What went there with a folder: it is accounted where the folder is, and comes back with it.
    private mutating func addToTrash(_ id: NodeID, bytes: Int64, files: Int64) {
        guard var folder = known(id) else { return }
        folder.trashBytes = bytes
        folder.trashFiles = files
        accessChanged()
        // The folder itself has been accounted by losing its name.
        account(bytes: -bytes, files: -(files - 1))
        account(trashBytes: bytes)
        put(folder)
    }

    /// Gives something in the trash a name again; `folders` says how many folders lie directly in it.
    mutating func restore(
        _ id: NodeID,
        at key: EntryKey,
        folders: UInt32,
        by author: Author
    ) throws(Stop) -> Revision {
        guard var node = try node(id), node.tree == tree.number, node.removedName != nil, isOwner else {
            throw .conflict(.missing)
        }
        _ = try liveFolder(key.parent, for: .add)
        try refuseTaken(key)
        if node.isFolder { try refuseDepth(in: key.parent, height: try height(of: node)) }
        guard tree.bytesUsed + node.trashBytes <= bytesQuota else {
            throw .denied("quota_exceeded", "the quota of \(bytesQuota) bytes would be exceeded")
        }

        account(bytes: node.trashBytes, files: node.trashFiles)
        account(trashBytes: -node.trashBytes)
        node.removed = nil
        node.removedName = nil
        node.remover = nil
        node.trashBytes = 0
        node.trashFiles = 0
        node.attributes.links = node.isFolder ? 2 + folders : 1
        node.attributes.changed = now
        node.parent = key.parent
        put(node)
        if node.sharing.contains(.granted) { noteShared(id) }
        accessChanged()
        put(entry: key, id)
        try touch(key.parent, now, entries: 1, folders: node.isFolder ? 1 : 0)
        return finish(author, nodes: [id, key.parent], entries: [key.stating(id)])
    }
}
