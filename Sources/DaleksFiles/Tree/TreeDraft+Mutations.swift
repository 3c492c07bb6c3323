import DaleksAPI
import DaleksCore

extension TreeDraft {
    /// Decides one operation and, where it fits, carries it out in the draft.
    ///
    /// - Throws: The fact that is missing; the draft is unchanged then.
    mutating func run(_ mutation: Mutation, by author: Author) throws(MissingFact) -> OperationResult.Outcome {
        do throws(Stop) {
            return switch mutation {
            case .create(let creation): try create(creation, by: author)
            case .link(let parent, let name, let node, let time):
                try link(EntryKey(parent: parent, name: name), node, time, by: author)
            case .rename(let rename): try self.rename(rename, by: author)
            case .remove(let parent, let name, let node, let time):
                try remove(EntryKey(parent: parent, name: name), node, time, by: author)
            case .attributes(let change): try setAttributes(change, by: author)
            case .commit(let commit): try self.commit(commit, by: author)
            }
        } catch {
            switch error {
            case .needs(let fact): throw MissingFact(fact: fact)
            case .refused(let outcome): return outcome
            }
        }
    }

    struct MissingFact: Error {
        let fact: Fact
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

/// What the decisions have in common.
extension TreeDraft {
    func record(_ node: StoredNode) -> NodeRecord { node.record(owner: tree.owner) }

    /// A node of this tree that has a name (or is the root) and on which the act is allowed.
    func liveNode(_ id: NodeID, for act: Act) throws(Stop) -> StoredNode {
        guard let node = try node(id), node.isLive else { throw .conflict(.missing) }
        let isOwner = node.tree == tree.number
        switch AccessDecision.decide(act, isOwner: isOwner, granted: [], isPublic: false) {
        case .allowed: return node
        case .hidden: throw .conflict(.missing)
        case .refused: throw .denied("forbidden", "the caller sees this node but may not do that to it")
        }
    }

    func liveFolder(_ id: NodeID, for act: Act) throws(Stop) -> StoredNode {
        let node = try liveNode(id, for: act)
        guard node.isFolder else { throw .conflict(.kind, record(node)) }
        return node
    }

    /// The node that a name of this tree stands for now.
    func occupant(of key: EntryKey) throws(Stop) -> StoredNode? {
        guard let id = try entry(key) else { return nil }
        return try node(id)
    }

    func refuseTaken(_ key: EntryKey) throws(Stop) {
        if let occupant = try occupant(of: key) { throw .conflict(.exists, record(occupant)) }
    }

    /// The node behind a name, which must be the one that the device means.
    func expected(_ id: NodeID, at key: EntryKey) throws(Stop) -> StoredNode {
        guard let occupant = try occupant(of: key) else { throw .conflict(.missing) }
        guard occupant.id == id else { throw .conflict(.missing, record(occupant)) }
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

    /// One name less. Without any the node stays for a grace, so that whoever reads it can go on.
    mutating func loseName(_ node: StoredNode, _ time: Timestamp) {
        var node = node
        node.attributes.changed = time
        node.attributes.links = node.isFolder ? 0 : node.attributes.links - 1
        if node.attributes.links == 0 {
            node.removed = now
            node.parent = nil
            account(bytes: -node.contentBytes, files: -1)
        }
        put(node)
    }
}
