import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Gives up what nobody can ask for any more, a few rows a transaction, beside the requests.
///
/// In order: nodes without a name and contents that were replaced, once their grace is over (whoever had them open
/// could go on until then); then chunks that no manifest names and that nobody was told of for a grace; then their
/// room.
///
/// This is safe beside commits and uploads, because every step looks again inside its own transaction: a commit counts
/// its chunks in the transaction that names them, whoever is told that a chunk is there begins its grace anew in a
/// transaction, and the room of a chunk is touched only after the database forgot it, durably. A location is never used
/// twice, so a chunk put again meanwhile lies elsewhere.
struct Collector: Sendable {
    let store: TreeStore
    let chunks: any ChunkStore
    let grace: Duration
    let measures: FilesMeasures
    var feedChangeCountMax = Limits.Files.feedChangeCountMax

    /// One round over everything that is due. `goesOn` is asked between transactions; false ends the round early.
    func collect(while goesOn: () -> Bool = { true }) throws(APIError) {
        let due = store.time.wall - grace
        let limit = Limits.Files.collectedRowCountMax
        while goesOn(), try collectNodes(removedBefore: due, limit) == limit {}
        while goesOn(), try collectManifests(supersededBefore: due, limit) == limit {}
        while goesOn(), try collectChunks(unusedBefore: due, limit) == limit {}
        if goesOn() { try reclaim() }
        for tree in try store.read({ db in try TreeTable.numbers(db) }) where goesOn() { try shortenFeed(of: tree) }
    }

    private func collectNodes(removedBefore due: Timestamp, _ limit: Int) throws(APIError) -> Int {
        let count = try store.write(.normal) { db in
            let ids = try NodeTable.removed(before: due, limit: limit, db)
            for id in ids {
                guard let node = try NodeTable.load(id, db) else { continue }
                for content in try ManifestTable.contents(of: id, db) {
                    try delete(StoredManifest.Key(node: id, content: content), in: node.tree, db)
                }
                try NodeTable.delete(id, db)
            }
            return ids.count
        }
        measures.collectedNodes.increment(by: count)
        return count
    }

    private func collectManifests(supersededBefore due: Timestamp, _ limit: Int) throws(APIError) -> Int {
        try store.write(.normal) { db in
            let keys = try ManifestTable.superseded(before: due, limit: limit, db)
            for key in keys {
                guard let node = try NodeTable.load(key.node, db) else { throw RecordError(record: "manifest's node") }
                try delete(key, in: node.tree, db)
            }
            return keys.count
        }
    }

    /// Its chunks count one use less, but those of pages that other revisions of the file share.
    private func delete(_ key: StoredManifest.Key, in tree: TreeNumber, _ db: borrowing StoreConnection) throws {
        guard let manifest = try ManifestTable.load(key, db) else { return }
        let now = store.time.wall
        try ManifestTable.delete(key, db)
        var shared: Set<Int64> = []
        if !manifest.pageNumbers.isEmpty {
            for content in try ManifestTable.contents(of: key.node, db) {
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
            for span in page.spans { try ChunkTable.count(-1, of: span.digest, in: tree, at: now, db) }
        }
    }

    private func collectChunks(unusedBefore due: Timestamp, _ limit: Int) throws(APIError) -> Int {
        let unused = try store.write { db in
            let unused = try ChunkTable.unused(before: due, limit: limit, db)
            for chunk in unused { try ChunkTable.delete(chunk.digest, in: chunk.tree, db) }
            return unused
        }
        chunks.discard(unused.map(\.location))
        measures.collectedChunks.increment(by: unused.count)
        return unused.count
    }

    private func reclaim() throws(APIError) {
        let used = try store.read { db in try ChunkTable.segments(db) }
        chunks.reclaim(unusedFor: max(grace, .seconds(3_600))) { used.contains($0) }
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
