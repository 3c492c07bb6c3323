import DaleksAPI
import DaleksCore
import DaleksHTTP

/// All that an answer with a file's bytes needs, found in one transaction: most files are small and read by path.
extension TreeStore {
    enum Address {
        case node(NodeID)
        /// In the caller's own tree.
        case path([String])
    }

    enum Opened {
        case folder(NodeID)
        case file(OpenedFile)
    }

    struct OpenedFile: Sendable {
        let node: NodeID
        let tree: TreeNumber
        /// What the caller is to it.
        let standing: Standing
        let facts: FileFacts
        /// Those that have bytes, by their index.
        let spans: Set<Int>
        /// Where the bytes are, where they are few.
        let small: LocatedSpan?
    }

    func open(_ address: Address, at content: Revision? = nil, for caller: UserID) throws(APIError) -> Opened {
        var names: [Name] = []
        if case .path(let segments) = address { names = try Self.names(of: segments) }
        if let opened = try find(address, names, at: content, for: caller) { return opened }
        // The caller's tree is made at first use.
        _ = try tree(of: caller)
        guard let opened = try find(address, names, at: content, for: caller) else { throw Self.hidden }
        return opened
    }

    /// Nil where the caller has no tree yet.
    private func find(
        _ address: Address,
        _ names: [Name],
        at content: Revision?,
        for caller: UserID
    ) throws(APIError) -> Opened? {
        try read { db in
            let id: NodeID
            switch address {
            case .node(let node): id = node
            case .path:
                guard let tree = try TreeTable.load(owner: caller, db) else { return nil }
                guard case .node(let found) = try Self.resolve(names, from: tree.root, db) else { throw Self.hidden }
                id = found
            }
            let seen = try visible(id, to: caller, db)
            if seen.node.isFolder, content == nil { return .folder(id) }
            return .file(try Self.open(seen, named: names.last, at: content, db))
        }
    }

    private static func open(
        _ seen: Seen,
        named name: Name?,
        at content: Revision?,
        _ db: borrowing StoreConnection
    ) throws -> OpenedFile {
        let (facts, manifest) = try facts(of: seen, named: name, at: content, db)
        var spans: [PlacedSpan] = []
        for placed in manifest.pages {
            let first = placed.index * Limits.Files.manifestPageSpanCount
            for span in try page(placed.page, db).spans {
                spans.append(PlacedSpan(index: first + span.index, form: span.form))
            }
        }
        var small: LocatedSpan?
        if facts.size <= Limits.Files.smallFileBytesMax {
            let stretches = try locate(spans.first?.stretches ?? [], in: seen.tree.number, db)
            small = LocatedSpan(extent: spans.first?.extent ?? 0, stretches: stretches)
        }
        return OpenedFile(
            node: seen.node.id,
            tree: seen.tree.number,
            standing: seen.standing,
            facts: facts,
            spans: Set(spans.map(\.index)),
            small: small
        )
    }
}
