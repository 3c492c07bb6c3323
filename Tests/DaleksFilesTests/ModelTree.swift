import DaleksAPI
import DaleksCore

/// A tree as a few dictionaries, written without a look at the engine: what a device may expect of its region.
struct ModelTree {
    struct Node: Equatable {
        var attributes: Attributes
        var revision: Revision = 0
        var content: Revision = 0
        var target: [UInt8]?
        var extended = ExtendedAttributes()
        var parent: NodeID?
        var spans: [Int: [UInt8]] = [:]
    }

    let root: NodeID
    private(set) var nodes: [NodeID: Node]
    private(set) var entries: [NodeID: [Name: NodeID]]
    private(set) var sequence: Revision = 0
    /// Ids that were ever used.
    private var used: Set<NodeID>

    init(root: NodeRecord) {
        self.root = root.id
        nodes = [root.id: Node(attributes: root.attributes)]
        entries = [root.id: [:]]
        used = [root.id]
    }

    enum Verdict: Equatable {
        case done(Revision)
        case conflict(OperationResult.Conflict)
    }

    var bytesUsed: Int64 { nodes.values.reduce(0) { $0 + $1.spans.values.reduce(0) { $0 + Int64($1.count) } } }

    mutating func run(_ mutation: Mutation) -> Verdict {
        switch mutation {
        case .create(let creation): create(creation)
        case .link(let parent, let name, let node, let time): link(parent, name, node, time)
        case .remove(let parent, let name, let node, let time): remove(parent, name, node, time)
        case .rename(let rename): self.rename(rename)
        case .attributes(let change): setAttributes(change)
        case .extended(let change): setExtended(change)
        case .commit(let commit): self.commit(commit)
        }
    }

    private func isFolder(_ id: NodeID) -> Bool { nodes[id]?.attributes.kind == .folder }

    /// Nil where it is a folder that is there.
    private func folderTrouble(_ id: NodeID) -> OperationResult.Conflict? {
        nodes[id] == nil ? .missing : isFolder(id) ? nil : .kind
    }

    private mutating func done(_ changed: NodeID?...) -> Verdict {
        sequence += 1
        for id in changed.compactMap({ $0 }) { nodes[id]?.revision = sequence }
        return .done(sequence)
    }

    private mutating func touch(_ folder: NodeID, _ time: Timestamp) {
        nodes[folder]?.attributes.modified = time
        nodes[folder]?.attributes.changed = time
        let folders = entries[folder]?.values.count { isFolder($0) } ?? 0
        nodes[folder]?.attributes.links = UInt32(2 + folders)
    }

    private mutating func drop(_ id: NodeID, _ time: Timestamp) {
        nodes[id]?.attributes.changed = time
        let names = entries.values.reduce(0) { $0 + $1.values.count { $0 == id } }
        if names == 0 {
            nodes[id] = nil
            entries[id] = nil
        } else {
            nodes[id]?.attributes.links = UInt32(names)
        }
    }

    private mutating func create(_ creation: Mutation.Creation) -> Verdict {
        if let trouble = folderTrouble(creation.parent) { return .conflict(trouble) }
        if entries[creation.parent]?[creation.name] != nil { return .conflict(.exists) }
        guard used.insert(creation.node).inserted else { return .conflict(.exists) }
        let isFolder = creation.kind == .folder
        nodes[creation.node] = Node(
            attributes: Attributes(
                kind: creation.kind,
                mode: creation.mode,
                uid: creation.uid,
                gid: creation.gid,
                accessed: creation.time,
                modified: creation.time,
                changed: creation.time,
                size: Int64(creation.target?.count ?? 0),
                links: isFolder ? 2 : 1
            ),
            target: creation.target,
            parent: isFolder ? creation.parent : nil
        )
        if isFolder { entries[creation.node] = [:] }
        entries[creation.parent]?[creation.name] = creation.node
        touch(creation.parent, creation.time)
        return done(creation.node, creation.parent)
    }

    private mutating func link(_ parent: NodeID, _ name: Name, _ id: NodeID, _ time: Timestamp) -> Verdict {
        if let trouble = folderTrouble(parent) { return .conflict(trouble) }
        guard nodes[id] != nil else { return .conflict(.missing) }
        if isFolder(id) { return .conflict(.kind) }
        if entries[parent]?[name] != nil { return .conflict(.exists) }
        entries[parent]?[name] = id
        nodes[id]?.attributes.links += 1
        nodes[id]?.attributes.changed = time
        touch(parent, time)
        return done(id, parent)
    }

    private mutating func remove(_ parent: NodeID, _ name: Name, _ id: NodeID, _ time: Timestamp) -> Verdict {
        if let trouble = folderTrouble(parent) { return .conflict(trouble) }
        guard entries[parent]?[name] == id else { return .conflict(.missing) }
        if entries[id]?.isEmpty == false { return .conflict(.notEmpty) }
        entries[parent]?[name] = nil
        drop(id, time)
        touch(parent, time)
        return done(id, parent)
    }

    private func lies(_ id: NodeID, in ancestor: NodeID) -> Bool {
        var current: NodeID? = id
        while let here = current {
            if here == ancestor { return true }
            current = nodes[here]?.parent
        }
        return false
    }

    private mutating func rename(_ rename: Mutation.Rename) -> Verdict {
        let (from, to) = (rename.parent, rename.toParent)
        if let trouble = folderTrouble(from) ?? folderTrouble(to) { return .conflict(trouble) }
        guard entries[from]?[rename.name] == rename.node else { return .conflict(.missing) }
        let occupant = entries[to]?[rename.toName]
        if occupant == rename.node { return .done(nodes[rename.node]?.revision ?? 0) }
        if rename.isExchange {
            guard let occupant else { return .conflict(.missing) }
            guard occupant == rename.replaces else { return .conflict(.exists) }
            if isFolder(rename.node) && lies(to, in: rename.node) || isFolder(occupant) && lies(from, in: occupant) {
                return .conflict(.cycle)
            }
            entries[from]?[rename.name] = occupant
            place(occupant, in: from, rename.time)
        } else {
            if let occupant {
                guard occupant == rename.replaces else { return .conflict(.exists) }
                guard isFolder(occupant) == isFolder(rename.node) else { return .conflict(.kind) }
                if entries[occupant]?.isEmpty == false { return .conflict(.notEmpty) }
            }
            if isFolder(rename.node) && lies(to, in: rename.node) { return .conflict(.cycle) }
            entries[from]?[rename.name] = nil
        }
        entries[to]?[rename.toName] = rename.node
        place(rename.node, in: to, rename.time)
        if let occupant, !rename.isExchange { drop(occupant, rename.time) }
        touch(from, rename.time)
        touch(to, rename.time)
        return done(rename.node, occupant, from, to)
    }

    private mutating func place(_ id: NodeID, in folder: NodeID, _ time: Timestamp) {
        nodes[id]?.attributes.changed = time
        if isFolder(id) { nodes[id]?.parent = folder }
    }

    private mutating func setAttributes(_ change: Mutation.AttributeChange) -> Verdict {
        guard nodes[change.node] != nil else { return .conflict(.missing) }
        if let mode = change.mode { nodes[change.node]?.attributes.mode = mode }
        if let uid = change.uid { nodes[change.node]?.attributes.uid = uid }
        if let gid = change.gid { nodes[change.node]?.attributes.gid = gid }
        if let accessed = change.accessed { nodes[change.node]?.attributes.accessed = accessed }
        if let modified = change.modified { nodes[change.node]?.attributes.modified = modified }
        nodes[change.node]?.attributes.changed = change.time
        return done(change.node)
    }

    private mutating func setExtended(_ change: Mutation.ExtendedChange) -> Verdict {
        guard nodes[change.node] != nil else { return .conflict(.missing) }
        _ = nodes[change.node]?.extended.set(change.name, to: change.value)
        nodes[change.node]?.attributes.changed = change.time
        return done(change.node)
    }

    private mutating func commit(_ commit: Mutation.Commit) -> Verdict {
        guard var node = nodes[commit.node] else { return .conflict(.missing) }
        guard node.attributes.kind == .file else { return .conflict(.kind) }
        guard commit.base == .content(node.content) else { return .conflict(.changed) }
        for span in commit.spans {
            if case .inline(let bytes) = span.source {
                node.spans[span.index] = bytes
            } else {
                node.spans[span.index] = nil
            }
        }
        let spanBytes = Int64(Limits.spanBytes)
        node.spans = node.spans.filter { Int64($0.key) * spanBytes < commit.size }
        node.attributes.size = commit.size
        node.attributes.modified = commit.modified
        node.attributes.changed = commit.time
        node.content = sequence + 1
        nodes[commit.node] = node
        return done(commit.node)
    }
}
