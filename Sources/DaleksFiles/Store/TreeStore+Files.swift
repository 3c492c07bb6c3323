import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Files as they are read and written whole, and where paths lead.
extension TreeStore {
    /// What an answer with a file's bytes tells beside them.
    struct FileFacts: Sendable {
        let name: Name
        let content: Revision
        let size: Int64
        let modified: Timestamp
        let digest: Digest?
    }

    func file(_ id: NodeID, at content: Revision?, for caller: UserID) throws(APIError) -> FileFacts {
        try read { db in try Self.facts(of: try visible(id, to: caller, db), named: nil, at: content, db).0 }
    }

    /// `name` is what the caller knows already.
    static func facts(
        of seen: Seen,
        named name: Name?,
        at content: Revision?,
        _ db: borrowing StoreConnection
    ) throws -> (FileFacts, StoredManifest) {
        let node = seen.node
        guard node.attributes.kind == .file else { throw APIError.invalid("only a file has content") }
        let wanted = content ?? node.content
        let manifest = try Self.manifest(of: node, at: wanted, db)
        let version = wanted == node.content ? nil : try VersionTable.load(wanted, of: node.id, db)
        let key = version?.key ?? StoredManifest.Key(node: node.id, content: wanted)
        let facts = FileFacts(
            name: try name ?? PathFinder.name(of: node, db) ?? unnamed,
            content: wanted,
            size: manifest.size,
            modified: version?.modified ?? node.attributes.modified,
            digest: try ManifestTable.digest(of: key, db)
        )
        return (facts, manifest)
    }

    private static var unnamed: Name {
        guard let name = try? Name("file") else { preconditionFailure("this is a name") }
        return name
    }

    /// Whether a write may begin: its conditions hold, the caller may do it, and so many bytes fit. Where chunks go.
    func beginWriting(to target: WriteTarget, bytes: Int64, by caller: UserID) throws(APIError) -> ChunkPlace {
        guard bytes <= Limits.fileBytesMax else { throw .tooLarge("no file has so many bytes") }
        return try read { db in
            let seen = try existing(target, by: caller, db)
            try target.check(seen?.node)
            guard let anchor = try NodeTable.load(target.anchor, db),
                let tree = try TreeTable.load(number: anchor.tree, db)
            else { throw Self.hidden }
            let growth = bytes - (seen?.node.contentBytes ?? 0)
            let quota = tree.bytesQuota ?? bytesQuota
            guard growth <= 0 || tree.bytesUsed + growth <= quota else {
                throw APIError(.quotaExceeded, "the owner's quota of \(quota) bytes would be exceeded")
            }
            // Whoever does not say how much is coming is stopped where it becomes too much; a smaller content than what
            // is there always has room.
            let room = max(quota - tree.bytesUsed, 0) + (seen?.node.contentBytes ?? 0)
            return ChunkPlace(tree: tree.number, caller: caller, isOwner: tree.owner == caller, bytesRoom: room)
        }
    }

    /// Where a path leads, from a node on.
    enum PathEnd {
        case node(NodeID)
        /// All but the last name is there.
        case free(parent: NodeID, name: Name)
    }

    func resolve(_ segments: [String], from top: NodeID) throws(APIError) -> PathEnd {
        let names = try Self.names(of: segments)
        return try read { db in try Self.resolve(names, from: top, db) }
    }

    static func names(of segments: [String]) throws(APIError) -> [Name] {
        var names: [Name] = []
        for segment in segments where !segment.isEmpty {
            do { names.append(try Name(segment)) } catch { throw .invalid("the path holds what is no file name") }
        }
        return names
    }

    static func resolve(_ names: [Name], from top: NodeID, _ db: borrowing StoreConnection) throws -> PathEnd {
        var id = top
        for (index, name) in names.enumerated() {
            guard let next = try EntryTable.load(EntryKey(parent: id, name: name), db) else {
                guard index == names.count - 1 else { throw hidden }
                return .free(parent: id, name: name)
            }
            id = next
        }
        return .node(id)
    }

    /// The node at a path of the caller's own tree.
    func node(at segments: [String], of caller: UserID) throws(APIError) -> NodeID {
        guard case .node(let id) = try resolve(segments, from: try tree(of: caller).root) else { throw Self.hidden }
        return id
    }

    /// Whether a node is another one or lies below it.
    func lies(_ id: NodeID, under top: NodeID) throws(APIError) -> Bool {
        try read { db in
            var next = [id]
            var known: Set<NodeID> = []
            while let place = next.popLast() {
                if place == top { return true }
                guard known.insert(place).inserted, known.count <= Limits.Files.pathDepthMax else { continue }
                next += try EntryTable.parents(of: place, db).map(\.parent)
            }
            return false
        }
    }

    /// A free place at a path: all but its last name is there.
    func free(_ segments: [String], from top: NodeID) throws(APIError) -> (parent: NodeID, name: Name) {
        guard case .free(let parent, let name) = try resolve(segments, from: top) else {
            throw APIError(.alreadyExists, "the name is taken")
        }
        return (parent, name)
    }

    func name(of id: NodeID, for caller: UserID) throws(APIError) -> Name {
        try read { db in
            let seen = try visible(id, to: caller, db)
            return try PathFinder.name(of: seen.node, db) ?? Self.rootName
        }
    }

    /// From what is the caller's own, or from the share, down to a node; for people.
    func path(of id: NodeID, for caller: UserID) throws(APIError) -> String {
        try read { db in
            let seen = try visible(id, to: caller, db)
            guard seen.standing.isReachable else { throw Self.hidden }
            var names: [Name] = []
            var place = id
            while place != seen.tree.root, let key = try EntryTable.parents(of: place, db).first {
                names.append(key.name)
                place = key.parent
                guard try seen.standing.access.isOwner || isVisible(place, to: caller, db) else { break }
            }
            return PathFinder.text(names.reversed())
        }
    }

    private func isVisible(_ id: NodeID, to caller: UserID, _ db: borrowing StoreConnection) throws -> Bool {
        do {
            _ = try visible(id, to: caller, db)
            return true
        } catch let error as APIError {
            guard error.code == .notFound || error.code == .forbidden else { throw error }
            return false
        }
    }

    // MARK: Search

    /// Names of the caller's tree that contain a text, whatever its case. It walks the tree in order and stops after so
    /// many names, so that a request takes bounded time; `next` goes on from there.
    func search(_ text: String, of caller: UserID, after place: String?, limit: Int) throws(APIError) -> FoundItems {
        let tree = try tree(of: caller)
        let wanted = text.lowercased()
        guard !wanted.isEmpty else { throw .malformed("the parameter q must not be empty") }
        var walk = TreeWalk(folder: tree.root)
        if let place {
            guard let known = TreeWalk(place) else { throw .malformed("the parameter after is not of a search") }
            walk = known
        }
        return try read { db in
            var items: [FoundItems.Item] = []
            var visited = 0
            while items.count < limit, visited < Limits.Files.searchedNameCountMax {
                guard let (name, node) = try walk.step(tree, db) else { return FoundItems(items: items, next: nil) }
                visited += 1
                guard name.description.lowercased().contains(wanted) else { continue }
                let names = try PathFinder.names(of: node.id, below: { $0 == tree.root }, db)
                items.append(
                    FoundItems.Item(
                        node: node.record(owner: caller),
                        name: name,
                        path: PathFinder.text(names ?? [name])
                    )
                )
            }
            return FoundItems(items: items, next: walk.text)
        }
    }
}

/// A place in a walk over a whole tree, each folder before what is in it. It remembers nothing but where it stands, so
/// that it fits into a parameter.
struct TreeWalk {
    private var folder: NodeID
    private var after: Name?
    private var page: ArraySlice<(name: Name, node: StoredNode)> = []

    init(folder: NodeID) { self.folder = folder }

    /// The next name; nil at the end.
    mutating func step(
        _ tree: TreeState,
        _ db: borrowing StoreConnection
    ) throws -> (name: Name, node: StoredNode)? {
        while true {
            if page.isEmpty {
                page = try EntryTable.page(of: folder, after: after, limit: Limits.Files.walkPageCount, db).rows[...]
            }
            guard let entry = page.popFirst() else {
                guard folder != tree.root, let key = try EntryTable.parents(of: folder, db).first else { return nil }
                (folder, after) = (key.parent, key.name)
                continue
            }
            // A walk that somebody made up begins in another's folder and finds nothing.
            guard entry.node.tree == tree.number else { return nil }
            if entry.node.isFolder, entry.node.entryCount > 0 {
                (folder, after, page) = (entry.node.id, nil, [])
            } else {
                after = entry.name
            }
            return entry
        }
    }

    /// `FOLDER.NAME64`
    var text: String { "\(folder).\(Base64.encode(after?.bytes ?? []))" }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let folder = NodeID(parts[0]), let bytes = Base64.decode(String(parts[1]), .url) else {
            return nil
        }
        self.folder = folder
        after = try? Name(bytes)
    }
}
