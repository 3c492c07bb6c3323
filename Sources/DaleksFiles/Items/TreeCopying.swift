import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Copies nodes within one owner's tree: new nodes over the same chunks.
struct TreeCopying {
    private let now: Timestamp
    private var count = 0

    init(now: Timestamp) { self.now = now }

    /// The copy's id. Folders are copied as they are when it begins: what the copy makes is not copied again.
    mutating func copy(
        _ node: StoredNode,
        as name: Name,
        in parent: NodeID,
        _ session: inout DraftSession,
        _ db: borrowing StoreConnection
    ) throws -> NodeID {
        count += 1
        guard count <= Limits.Files.copiedNodeCountMax else {
            throw APIError.tooLarge("a copy has no more than \(Limits.Files.copiedNodeCountMax) files and folders")
        }
        let id = NodeID.random(at: now)
        let attributes = node.attributes
        let children = node.isFolder ? try self.children(of: node.id, db) : []
        for mutation in node.copying(to: EntryKey(parent: parent, name: name), as: id, at: now) {
            try session.run(mutation, by: .request, db).orThrow()
        }
        if attributes.kind == .file, node.content != 0 {
            let key = StoredManifest.Key(node: node.id, content: node.content)
            guard let manifest = try ManifestTable.load(key, db) else { throw RecordError(record: "manifest") }
            let decision = try session.decide(db) { draft throws(Stop) in
                try draft.setContent(of: id, to: manifest, over: 0, modified: attributes.modified, by: .request)
            }
            _ = try decision.orThrow()
        }
        for (name, child) in children { _ = try copy(child, as: name, in: id, &session, db) }
        return id
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
