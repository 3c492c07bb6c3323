import DaleksAPI
import DaleksCore

/// A tree as one transaction knows it and means to leave it.
///
/// The decisions about mutations (in the extensions beside this file) are functions over this value alone: they read
/// facts, and where one has not been loaded they throw `Stop.needs` before they changed anything. Whoever runs the
/// transaction loads it and asks again. So the same decisions serve any database, and one that answers in sets can load
/// all that a batch names at once (`facts(namedBy:)`).
struct TreeDraft {
    private(set) var tree: TreeState
    /// The region's own clock, for graces; it never gets into a node's times.
    let now: Timestamp
    let bytesQuota: Int64

    private var nodes: [NodeID: StoredNode?] = [:]
    private var entries: [EntryKey: NodeID?] = [:]
    private var manifests: [StoredManifest.Key: StoredManifest] = [:]
    private var pages: [Int64: ManifestPage] = [:]
    private var chunks: [Digest: Int?] = [:]

    // What is to be written, each in the order in which it first changed.
    private var changedNodes: [NodeID] = []
    private var isNodeChanged: Set<NodeID> = []
    private var changedEntries: [EntryKey] = []
    private var isEntryChanged: Set<EntryKey> = []
    private var newManifests: [StoredManifest.Key] = []
    private(set) var supersededManifests: [StoredManifest.Key] = []
    /// Pages made here, under numbers that count down from -1 until their rows exist.
    private var newPages: [Int64] = []
    /// How many more spans of pages name a chunk than before.
    private(set) var newReferences: [Digest: Int] = [:]
    private(set) var changes: [Change] = []

    init(tree: TreeState, bytesQuota: Int64, now: Timestamp) {
        self.tree = tree
        self.bytesQuota = bytesQuota
        self.now = now
    }

    // MARK: Facts

    func knows(_ fact: Fact) -> Bool {
        switch fact {
        case .node(let id): nodes[id] != nil
        case .entry(let key): entries[key] != nil
        case .manifest(let key): manifests[key] != nil
        case .page(let number): pages[number] != nil
        case .chunk(let digest): chunks[digest] != nil
        }
    }

    mutating func learn(node: StoredNode?, _ id: NodeID) { nodes[id] = .some(node) }
    mutating func learn(entry: NodeID?, _ key: EntryKey) { entries[key] = .some(entry) }
    mutating func learn(manifest: StoredManifest, _ key: StoredManifest.Key) { manifests[key] = manifest }
    mutating func learn(page: ManifestPage, _ number: Int64) { pages[number] = page }
    mutating func learn(chunkBytes: Int?, _ digest: Digest) { chunks[digest] = .some(chunkBytes) }

    func node(_ id: NodeID) throws(Stop) -> StoredNode? {
        guard let node = nodes[id] else { throw .needs(.node(id)) }
        return node
    }

    func entry(_ key: EntryKey) throws(Stop) -> NodeID? {
        guard let node = entries[key] else { throw .needs(.entry(key)) }
        return node
    }

    func manifest(_ key: StoredManifest.Key) throws(Stop) -> StoredManifest {
        guard key.content != 0 else { return .empty }
        guard let manifest = manifests[key] else { throw .needs(.manifest(key)) }
        return manifest
    }

    func page(_ page: StoredManifest.Page?) throws(Stop) -> ManifestPage {
        switch page {
        case nil: return ManifestPage()
        case .inline(let page): return page
        case .stored(let number, _):
            guard let page = pages[number] else { throw .needs(.page(number)) }
            return page
        }
    }

    /// Nil where this owner does not store it.
    func chunkBytes(_ digest: Digest) throws(Stop) -> Int? {
        guard let bytes = chunks[digest] else { throw .needs(.chunk(digest)) }
        return bytes
    }

    // MARK: Changes

    /// The sequence that the operation being decided takes if it succeeds.
    var nextRevision: Revision { tree.sequence + 1 }

    mutating func put(_ node: StoredNode) {
        var node = node
        node.revision = nextRevision
        nodes[node.id] = .some(node)
        if isNodeChanged.insert(node.id).inserted { changedNodes.append(node.id) }
    }

    mutating func put(entry key: EntryKey, _ node: NodeID?) {
        entries[key] = .some(node)
        if isEntryChanged.insert(key).inserted { changedEntries.append(key) }
    }

    mutating func put(_ manifest: StoredManifest, _ key: StoredManifest.Key, superseding old: Revision) {
        manifests[key] = manifest
        newManifests.append(key)
        if old != 0 { supersededManifests.append(StoredManifest.Key(node: key.node, content: old)) }
    }

    /// A page that commits may list: its spans count as references from now on.
    mutating func make(_ page: ManifestPage) -> StoredManifest.Page {
        let number = -1 - Int64(newPages.count)
        pages[number] = page
        newPages.append(number)
        count(page)
        return .stored(number: number, bytes: page.bytes)
    }

    mutating func makeInline(_ page: ManifestPage) -> StoredManifest.Page {
        count(page)
        return .inline(page)
    }

    private mutating func count(_ page: ManifestPage) {
        for span in page.spans {
            for part in span.parts { newReferences[part.digest, default: 0] += 1 }
        }
    }

    mutating func account(bytes: Int64 = 0, files: Int64 = 0) {
        tree.bytesUsed += bytes
        tree.filesUsed += files
    }

    // MARK: What to write

    var nodesToSave: [StoredNode] { changedNodes.compactMap { nodes[$0] ?? nil } }
    var entriesToSave: [(key: EntryKey, node: NodeID?)] { changedEntries.map { ($0, entries[$0] ?? nil) } }
    var pagesToSave: [(number: Int64, page: ManifestPage)] {
        newPages.compactMap { number in pages[number].map { (number, $0) } }
    }
    var manifestsToSave: [(key: StoredManifest.Key, manifest: StoredManifest)] {
        newManifests.compactMap { key in manifests[key].map { (key, $0) } }
    }

    /// Ends an operation that succeeded: it takes its sequence and goes into the feed.
    mutating func finish(_ by: Author, nodes ids: [NodeID], entries: [Change.Entry] = []) -> Revision {
        tree.sequence += 1
        var told: [NodeRecord] = []
        for id in ids where !told.contains(where: { $0.id == id }) {
            if let node = nodes[id] ?? nil { told.append(node.record(owner: tree.owner)) }
        }
        changes.append(
            Change(
                sequence: tree.sequence,
                device: by.device,
                operation: by.mark.sequence,
                nodes: told,
                entries: entries
            )
        )
        return tree.sequence
    }
}

/// Whose operation it is: on the wire and in rows.
struct Author: Hashable, Sendable {
    var device: DeviceID
    var mark: OperationMark
}
