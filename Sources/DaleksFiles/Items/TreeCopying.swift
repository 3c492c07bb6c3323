import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Copies nodes within one owner's tree: new nodes over the same chunks.
struct TreeCopying {
    private let now: Timestamp
    private var count = 0

    init(now: Timestamp) { self.now = now }

    /// What is to be copied, under which name, into which folder of the copy.
    private struct Step {
        let node: StoredNode
        let name: Name
        let parent: NodeID
    }

    /// The copy's id. Folders are copied as they are when it begins: what the copy makes is not copied again.
    mutating func copy(
        _ node: StoredNode,
        as name: Name,
        in parent: NodeID,
        _ session: inout DraftSession,
        _ db: borrowing StoreConnection
    ) throws -> NodeID {
        let top = NodeID.random(at: now)
        // A list and no recursion: a worker's stack does not hold the deepest tree.
        var (steps, id) = ([Step(node: node, name: name, parent: parent)], top)
        while let step = steps.popLast() {
            let children = step.node.isFolder ? try self.children(of: step.node.id, db) : []
            try copy(step, to: id, &session, db)
            for (name, child) in children.reversed() { steps.append(Step(node: child, name: name, parent: id)) }
            id = NodeID.random(at: now)
        }
        return top
    }

    private mutating func copy(
        _ step: Step,
        to id: NodeID,
        _ session: inout DraftSession,
        _ db: borrowing StoreConnection
    ) throws {
        count += 1
        guard count <= Limits.Files.copiedNodeCountMax else {
            throw APIError.tooLarge("a copy has no more than \(Limits.Files.copiedNodeCountMax) files and folders")
        }
        let (node, attributes) = (step.node, step.node.attributes)
        for mutation in node.copying(to: EntryKey(parent: step.parent, name: step.name), as: id, at: now) {
            try session.run(mutation, by: .request, db).orThrow()
        }
        guard attributes.kind == .file, node.content != 0 else { return }
        let key = StoredManifest.Key(node: node.id, content: node.content)
        guard let manifest = try ManifestTable.load(key, db) else { throw RecordError(record: "manifest") }
        let decision = try session.decide(db) { draft throws(Stop) in
            try draft.setContent(of: id, to: manifest, over: 0, modified: attributes.modified, by: .request)
        }
        _ = try decision.orThrow()
    }

    private func children(of folder: NodeID, _ db: borrowing StoreConnection) throws -> [(Name, StoredNode)] {
        var (children, isCut): ([(Name, StoredNode)], Bool) = ([], true)
        while isCut, children.count <= Limits.Files.copiedNodeCountMax {
            let left = Limits.Files.copiedNodeCountMax + 1 - children.count
            let page = try EntryTable.page(of: folder, after: children.last?.0, limit: left, db)
            children += page.rows.map { ($0.name, $0.node) }
            isCut = page.isCut
        }
        return children
    }
}
