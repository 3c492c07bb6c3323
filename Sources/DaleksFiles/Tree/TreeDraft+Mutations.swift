import DaleksAPI
import DaleksCore

extension TreeDraft {
    /// Decides one operation and, where it fits, carries it out in the draft.
    ///
    /// - Throws: The refusal, or the fact that is missing; the draft is unchanged then.
    mutating func run(_ mutation: Mutation, by author: Author) throws(Stop) -> OperationResult.Outcome {
        switch mutation {
        case .create(let creation): try create(creation, by: author)
        case .link(let parent, let name, let node, let time):
            try link(EntryKey(parent: parent, name: name), node, time, by: author)
        case .rename(let rename): try self.rename(rename, by: author)
        case .remove(let parent, let name, let node, let time):
            try remove(EntryKey(parent: parent, name: name), node, time, by: author)
        case .attributes(let change): try setAttributes(change, by: author)
        case .extended(let change): try setExtended(change, by: author)
        case .commit(let commit): try self.commit(commit, by: author)
        }
    }

    /// What a mutation is certain to ask for, so that it can be loaded for a whole batch at once.
    static func facts(namedBy mutation: Mutation) -> [Fact] {
        switch mutation {
        case .create(let creation):
            return facts(creation.node, at: EntryKey(parent: creation.parent, name: creation.name))
        case .link(let parent, let name, let node, _):
            return facts(node, at: EntryKey(parent: parent, name: name))
        case .remove(let parent, let name, let node, _):
            return facts(node, at: EntryKey(parent: parent, name: name))
        case .rename(let rename):
            let target = EntryKey(parent: rename.toParent, name: rename.toName)
            var facts = facts(rename.node, at: EntryKey(parent: rename.parent, name: rename.name))
            facts += [.node(rename.toParent), .entry(target)]
            if let replaces = rename.replaces { facts.append(.node(replaces)) }
            return facts
        case .attributes(let change):
            return [.node(change.node)]
        case .extended(let change):
            return [.node(change.node)]
        case .commit(let commit):
            var facts = [Fact.node(commit.node)]
            for span in commit.spans {
                for part in span.parts { facts.append(.chunk(part.digest)) }
            }
            return facts
        }
    }

    private static func facts(_ node: NodeID, at key: EntryKey) -> [Fact] {
        [.node(key.parent), .node(node), .entry(key)]
    }
}

extension Mutation {
    /// The nodes that say in which tree it is to run, the first of them decides.
    var places: [NodeID] {
        switch self {
        case .create(let creation): [creation.parent]
        case .link(let parent, _, let node, _): [parent, node]
        case .rename(let rename): [rename.parent, rename.toParent]
        case .remove(let parent, _, _, _): [parent]
        case .attributes(let change): [change.node]
        case .extended(let change): [change.node]
        case .commit(let commit): [commit.node]
        }
    }
}

/// What the decisions have in common.
extension TreeDraft {
    /// The node that a name of this tree stands for now.
    func occupant(of key: EntryKey) throws(Stop) -> StoredNode? {
        guard let id = try entry(key) else { return nil }
        return try node(id)
    }

    func refuseTaken(_ key: EntryKey) throws(Stop) {
        if let occupant = try occupant(of: key) { throw .conflict(.exists, try record(occupant)) }
    }

    /// The node behind a name, which must be the one that the device means.
    func expected(_ id: NodeID, at key: EntryKey) throws(Stop) -> StoredNode {
        guard let occupant = try occupant(of: key) else { throw .conflict(.missing) }
        guard occupant.id == id else { throw .conflict(.missing, try record(occupant)) }
        return occupant
    }

    /// A folder gets or loses entries: its times and counts follow.
    mutating func touch(_ id: NodeID, _ time: Timestamp, entries: Int64 = 0, folders: Int32 = 0) throws(Stop) {
        guard var folder = try node(id) else { throw .needs(.node(id)) }
        folder.attributes.modified = time
        folder.attributes.changed = time
        folder.entryCount += entries
        folder.attributes.links = UInt32(Int64(folder.attributes.links) + Int64(folders))
        put(folder)
    }

    /// One name less. Without any the node stays: in the trash, or, where a rename put something in its place, for a
    /// grace in which whoever reads it can go on, its content then being an earlier version of what replaced it.
    mutating func loseName(_ node: StoredNode, at key: EntryKey, _ time: Timestamp, to successor: StoredNode? = nil) {
        var node = node
        node.attributes.changed = time
        node.attributes.links = node.isFolder ? 0 : node.attributes.links - 1
        guard node.attributes.links == 0 else {
            // Which of its other names stay is looked up when somebody asks.
            if node.parent == key.parent { node.parent = nil }
            return put(node)
        }
        if node.sharing.contains(.granted) { noteShared(node.id) }
        node.removed = now
        node.parent = key.parent
        node.remover = caller
        account(bytes: -node.contentBytes, files: -1)
        if let successor, node.attributes.kind == .file, successor.attributes.kind == .file {
            bequeath(node, to: successor)
        } else if successor == nil || node.content != 0 {
            node.removedName = key.name
            node.trashBytes = node.contentBytes
            node.trashFiles = 1
            account(trashBytes: node.contentBytes)
        }
        put(node)
    }

    /// So does who may see it: a program that saves a file by writing another and renaming that over it must not end a
    /// share, a link or what is public. Where somebody has both, what was said of the name counts. The old one keeps
    /// its grants while whoever has it open reads on. Asks for what it needs before it changes anything.
    ///
    /// Who may not read what he moves shows it to nobody by that, himself least of all.
    mutating func takeOverSharing(of old: StoredNode, by new: inout StoredNode) throws(Stop) {
        guard inherits(new, from: old) else { return }
        if !isOwner, try standing(of: new).access.decide(.see) != .allowed { return }
        if old.sharing.contains(.granted), !isOwner {
            let (mine, before) = (try grant(on: old.id), new.sharing.contains(.granted) ? try grant(on: new.id) : nil)
            learn(grant: mine ?? before, new.id)
        }
        if !old.sharing.subtracting(new.sharing).isEmpty { accessChanged() }
        new.sharing.formUnion(old.sharing)
        inheritSharing(from: old.id, to: new.id, hasGrants: old.sharing.contains(.granted))
        if old.sharing.contains(.granted) { noteShared(new.id) }
    }

    /// What has another name goes on as it is.
    private func inherits(_ new: StoredNode, from old: StoredNode) -> Bool {
        old.attributes.kind == .file && new.attributes.kind == .file && (old.attributes.links <= 1 || !old.isLive)
    }

    /// Versions follow the name.
    private mutating func bequeath(_ node: StoredNode, to successor: StoredNode) {
        inheritVersions(from: node.id, to: successor.id)
        guard node.content != 0 else { return }
        supersede(StoredManifest.Key(node: node.id, content: node.content), by: successor.id, cost: node.contentBytes)
    }
}
