import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Gives up what nobody can ask for any more, a few rows a transaction, beside the requests.
///
/// In order: what users owned who are gone (`Eraser`); trash whose time is over and versions that the policy thins;
/// nodes without a name and contents that were replaced, once their grace is over (whoever had them open could go on
/// until then); then chunks that no manifest names and that nobody was told of for a grace; then their room.
///
/// This is safe beside commits and uploads, of this process and of others, because every step looks again inside its
/// own transaction, once it has the trees that it changes to itself: a commit counts its chunks in the transaction that
/// names them, whoever is told that a chunk is there begins its grace anew in a transaction, and the room of a chunk is
/// touched only after the database forgot it, durably. A location is never used twice, so a chunk put again meanwhile
/// lies elsewhere.
struct Collector: Sendable {
    let store: TreeStore
    let chunks: any ChunkStore
    let grace: Duration
    let measures: FilesMeasures
    var feedChangeCountMax = Limits.Files.feedChangeCountMax
    /// Who is told where the erasing of a deleted user takes something out of sight.
    var announce: @Sendable (UserID) -> Void = { _ in }

    /// One round over everything that is due. `goesOn` is asked between transactions; false ends the round early.
    func collect(while goesOn: () -> Bool = { true }) throws(APIError) {
        let due = store.time.wall - grace
        let limit = Limits.Files.collectedRowCountMax
        try Eraser(store: store, announce: announce).erase(while: goesOn)
        while goesOn(), try store.expireTrash(limit: limit) == limit {}
        while goesOn(), try store.expireUploads(limit: limit) == limit {}
        while goesOn(), try store.thinVersions(limit: limit) == limit {}
        while goesOn(), try store.forgetOldRows(limit: limit) == limit {}
        while goesOn(), try collectNodes(removedBefore: due, limit) == limit {}
        while goesOn(), try collectManifests(supersededBefore: due, limit) == limit {}
        while goesOn(), try collectChunks(unusedBefore: due, limit) == limit {}
        if goesOn() { try reclaim() }
        for tree in try store.read({ db in try TreeTable.numbers(db) }) where goesOn() { try shortenFeed(of: tree) }
    }

    private func collectNodes(removedBefore due: Timestamp, _ limit: Int) throws(APIError) -> Int {
        let (foundCount, count) = try store.write(.normal) { db in
            let ids = try NodeTable.removed(before: due, limit: limit, db)
            var trees: Set<TreeNumber> = []
            for id in ids { if let node = try NodeTable.load(id, db) { trees.insert(node.tree) } }
            try TreeTable.lock(trees, db)
            var count = 0
            for id in ids {
                guard let node = try NodeTable.load(id, db), let removed = node.removed, removed < due,
                    trees.contains(node.tree)
                else { continue }
                try delete(node, limit, db)
                count += 1
            }
            return (ids.count, count)
        }
        measures.collectedNodes.increment(by: count)
        return foundCount
    }

    /// A folder that went to the trash as a whole gives up what is in it first, a few entries at a time.
    private func delete(_ node: StoredNode, _ limit: Int, _ db: borrowing StoreConnection) throws {
        if node.isFolder {
            let children = try EntryTable.page(of: node.id, after: nil, limit: limit, db).rows
            for (name, child) in children { try Self.orphan(child, at: EntryKey(parent: node.id, name: name), db) }
            guard children.count < limit else { return }
        }
        for content in try ManifestTable.contents(of: node.id, db) {
            try delete(StoredManifest.Key(node: node.id, content: content), in: node.tree, db)
        }
        try dropVersions(of: node, db)
        try GrantTable.delete(on: node.id, db)
        try NodeTable.delete(node.id, db)
    }

    static func orphan(_ child: StoredNode, at key: EntryKey, _ db: borrowing StoreConnection) throws {
        try EntryTable.save(key, nil, db)
        var child = child
        child.attributes.links = child.isFolder ? 0 : child.attributes.links - 1
        // What has another name by now lives on there.
        if child.attributes.links == 0 {
            child.removed = .zero
            child.removedName = nil
            child.sharing = []
        }
        try NodeTable.save(child, db)
    }

    private func dropVersions(of node: StoredNode, _ db: borrowing StoreConnection) throws {
        let cost = try VersionTable.dropAll(of: node.id, db)
        guard cost > 0, var tree = try TreeTable.lock(number: node.tree, db) else { return }
        tree.versionsBytes -= cost
        try TreeTable.save(tree, db)
    }

    private func collectManifests(supersededBefore due: Timestamp, _ limit: Int) throws(APIError) -> Int {
        try store.write(.normal) { db in
            let keys = try ManifestTable.superseded(before: due, limit: limit, db)
            try TreeTable.lock(Set(keys.map(\.tree)), db)
            // Looked for again by those who may have waited: what became a version meanwhile is not superseded.
            for (key, tree) in keys where try ManifestTable.isSuperseded(key, before: due, db) {
                try delete(key, in: tree, db)
            }
            return keys.count
        }
    }

    /// Its chunks count one use less, but those of pages that other revisions of the file share.
    private func delete(
        _ key: StoredManifest.Key,
        in tree: TreeNumber,
        _ db: borrowing StoreConnection
    ) throws {
        guard let manifest = try ManifestTable.load(key, db) else { return }
        let now = store.time.wall
        try ManifestTable.delete(key, db)
        var shared: Set<Int64> = []
        if !manifest.pageNumbers.isEmpty {
            for content in try ManifestTable.allContents(of: key.node, db) {
                let other = try ManifestTable.load(StoredManifest.Key(node: key.node, content: content), db)
                shared.formUnion(other?.pageNumbers ?? [])
            }
        }
        for placed in manifest.pages {
            let page: ManifestPage
            switch placed.page {
            case .inline(let inline): page = inline
            case .stored(let number, _):
                if shared.contains(number) { continue }
                page = try ManifestTable.page(number, db)
                try ManifestTable.deletePage(number, db)
            }
            for part in page.spans.flatMap(\.parts) { try ChunkTable.count(-1, of: part.digest, in: tree, at: now, db) }
        }
    }

    private func collectChunks(unusedBefore due: Timestamp, _ limit: Int) throws(APIError) -> Int {
        let (foundCount, gone) = try store.write { db in
            let unused = try ChunkTable.unused(before: due, limit: limit, db)
            try TreeTable.lock(Set(unused.map(\.tree)), db)
            let gone = try unused.filter { try ChunkTable.delete($0, unusedBefore: due, db) }
            return (unused.count, gone)
        }
        chunks.discard(gone.map(\.location).filter { !$0.isInRow })
        measures.collectedChunks.increment(by: gone.count)
        return foundCount
    }

    private func reclaim() throws(APIError) {
        let used = try store.read { db in try ChunkTable.segments(db) }
        chunks.reclaim(unusedFor: max(grace, .seconds(3_600))) { used[$0] != nil }
    }

    private func shortenFeed(of number: TreeNumber) throws(APIError) {
        let floor = try store.write(.normal) { db -> Revision? in
            guard var tree = try TreeTable.lock(number: number, db), tree.sequence - feedChangeCountMax > tree.feedFloor
            else { return nil }
            tree.feedFloor = tree.sequence - feedChangeCountMax
            try TreeTable.save(tree, db)
            return tree.feedFloor
        }
        guard let floor else { return }
        let limit = Limits.Files.collectedRowCountMax * 8
        while try store.write(.normal, { db in try ChangeTable.delete(of: number, upTo: floor, limit: limit, db) })
            == limit
        {}
    }
}
