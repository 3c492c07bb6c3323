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
    /// Whose operations these are.
    let caller: UserID

    private var nodes: [NodeID: StoredNode?] = [:]
    private var entries: [EntryKey: NodeID?] = [:]
    private var manifests: [StoredManifest.Key: StoredManifest] = [:]
    private var pages: [Int64: ManifestPage] = [:]
    private var chunks: [Digest: Int?] = [:]
    /// As the database has them.
    private var names: [NodeID: [EntryKey]] = [:]
    private var grants: [NodeID: GrantedRights?] = [:]
    /// How deep what lies in a folder goes; good until something changes.
    private var heights: [NodeID: Int] = [:]
    /// Where folders lie, as the draft has it now. A batch that makes a deep tree asks for each of its folders, so this
    /// is kept until a folder moves, goes, or is shared.
    private var places = FolderPlaces()

    private final class FolderPlaces {
        var known: [NodeID: FolderPlace] = [:]
    }

    // What is to be written, each in the order in which it first changed.
    private var changedNodes: [NodeID] = []
    private var isNodeChanged: Set<NodeID> = []
    private var changedEntries: [EntryKey] = []
    private var isEntryChanged: Set<EntryKey> = []
    private var newManifests: [StoredManifest.Key] = []
    private(set) var supersededManifests: [Superseded] = []
    /// Files whose versions another file takes over with their name.
    private(set) var inheritedVersions: [(from: NodeID, to: NodeID)] = []
    /// Pages made here, under numbers that count down from -1 until their rows exist.
    private var newPages: [Int64] = []
    /// How many more spans of pages name a chunk than before.
    private(set) var newReferences: [Digest: Int] = [:]
    private(set) var changes: [Change] = []
    /// Files of which others take over who may see them. The sequence at which that was, where there are grants.
    private(set) var inheritedSharing: [(from: NodeID, to: NodeID, granted: Revision?)] = []
    /// Nodes with grants that came or went: to be told to whom they are granted.
    private(set) var sharedNodesMoved: [NodeID] = []

    init(tree: TreeState, bytesQuota: Int64, now: Timestamp, caller: UserID) {
        self.tree = tree
        self.caller = caller
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
        case .names(let id): names[id] != nil
        case .grant(let id): grants[id] != nil
        case .height(let id): heights[id] != nil
        }
    }

    mutating func learn(node: StoredNode?, _ id: NodeID) { nodes[id] = .some(node) }
    mutating func learn(entry: NodeID?, _ key: EntryKey) { entries[key] = .some(entry) }
    mutating func learn(manifest: StoredManifest, _ key: StoredManifest.Key) { manifests[key] = manifest }
    mutating func learn(page: ManifestPage, _ number: Int64) { pages[number] = page }
    mutating func learn(chunkBytes: Int?, _ digest: Digest) { chunks[digest] = .some(chunkBytes) }
    mutating func learn(names keys: [EntryKey], _ id: NodeID) { names[id] = keys }
    mutating func learn(grant: GrantedRights?, _ id: NodeID) { grants[id] = .some(grant) }
    mutating func learn(height: Int, _ id: NodeID) { heights[id] = height }

    /// A node of this tree that is known already, changed here or not.
    func known(_ id: NodeID) -> StoredNode? {
        guard let node = nodes[id] ?? nil, node.tree == tree.number else { return nil }
        return node
    }

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

    /// Where a node has names now.
    func names(of id: NodeID) throws(Stop) -> [EntryKey] {
        guard let before = names[id] else { throw .needs(.names(id)) }
        let added = changedEntries.filter { entries[$0] == .some(id) && !before.contains($0) }
        return before.filter { entries[$0] == nil || entries[$0] == .some(id) } + added
    }

    func grant(on id: NodeID) throws(Stop) -> GrantedRights? {
        guard let grant = grants[id] else { throw .needs(.grant(id)) }
        return grant
    }

    func knownHeight(of id: NodeID) throws(Stop) -> Int {
        guard let height = heights[id] else { throw .needs(.height(id)) }
        return height
    }

    var folderPlaces: [NodeID: FolderPlace] {
        get { places.known }
        nonmutating _modify { yield &places.known }
    }

    /// Nil where this owner does not store it, or the caller may not name it.
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
        if node.isFolder {
            heights = [:]
            if let before = nodes[node.id] ?? nil,
                before.parent != node.parent || before.removed != node.removed || before.sharing != node.sharing
            {
                // A new one, since a copy of this draft may go on with the old.
                places = FolderPlaces()
            }
        }
        nodes[node.id] = .some(node)
        if isNodeChanged.insert(node.id).inserted { changedNodes.append(node.id) }
    }

    mutating func put(entry key: EntryKey, _ node: NodeID?) {
        entries[key] = .some(node)
        if isEntryChanged.insert(key).inserted { changedEntries.append(key) }
    }

    /// `replacedBytes` is what the old content had there and the new has not.
    mutating func put(
        _ manifest: StoredManifest,
        _ key: StoredManifest.Key,
        superseding old: Revision,
        replacedBytes: Int64
    ) {
        manifests[key] = manifest
        newManifests.append(key)
        guard old != 0 else { return }
        supersede(StoredManifest.Key(node: key.node, content: old), by: key.node, cost: replacedBytes)
    }

    /// A content becomes an earlier version of the file that has its name.
    mutating func supersede(_ key: StoredManifest.Key, by node: NodeID, cost: Int64) {
        supersededManifests.append(Superseded(key: key, versionOf: node, cost: cost))
        tree.versionsBytes += cost
    }

    mutating func inheritVersions(from old: NodeID, to new: NodeID) { inheritedVersions.append((old, new)) }

    mutating func account(trashBytes: Int64) { tree.trashBytes += trashBytes }

    mutating func inheritSharing(from old: NodeID, to new: NodeID, hasGrants: Bool) {
        inheritedSharing.append((old, new, hasGrants ? nextRevision : nil))
    }

    mutating func noteShared(_ node: NodeID) { sharedNodesMoved.append(node) }

    /// Somebody may see other things than before.
    mutating func accessChanged() { tree.accessVersion += 1 }

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

    var hasChanged: Bool { !changes.isEmpty }

    /// The file's own time.
    func modified(of id: NodeID) -> Timestamp { (nodes[id] ?? nil)?.attributes.modified ?? now }

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
                operation: by.device == nil ? nil : by.mark.sequence,
                nodes: told,
                entries: entries
            )
        )
        return tree.sequence
    }

    /// Tells the tree's owner what others share with him now, or no longer.
    mutating func tell(_ shares: [Change.Share]) {
        tree.sequence += 1
        changes.append(
            Change(sequence: tree.sequence, device: nil, operation: nil, nodes: [], entries: [], shares: shares)
        )
    }
}

/// Whose operation it is: on the wire and in rows.
struct Author: Hashable, Sendable {
    /// Nil where no device's journal brought it.
    var device: DeviceID?
    var mark: OperationMark

    /// A request of its own. Devices' numbers begin at 1, so no journal takes it for something of its own.
    static let request = Author(device: nil, mark: OperationMark(device: 0, sequence: 0))
}

/// A content whose place another one took.
struct Superseded: Hashable, Sendable {
    var key: StoredManifest.Key
    var versionOf: NodeID
    var cost: Int64
}
