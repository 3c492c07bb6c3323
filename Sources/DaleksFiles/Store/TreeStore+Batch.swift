import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

extension TreeStore {
    /// Runs a batch and returns when what it did survives a power cut. `contents` are those of the batch
    /// that were stored just now and are not in the index yet.
    func apply(
        _ batch: PreparedBatch,
        storing contents: [StoredContent] = [],
        of owner: UserID
    ) throws(APIError) -> BatchTransaction.Outcome {
        let state = try tree(of: owner)
        let number = state.number
        let now = time.wall
        if let cursor = batch.cursor, state.isBehind(cursor, at: now) {
            try noteUnannouncedReturn(of: number, from: cursor)
        }
        return try write { db in
            guard let tree = try TreeTable.lock(number: number, db) else { throw Self.hidden }
            // What the device builds on is not what this tree has.
            if let cursor = batch.cursor, cursor.epoch != tree.epoch || cursor.sequence > tree.sequence {
                throw Self.expired
            }
            for contents in Dictionary(grouping: contents, by: \.place.tree).values {
                guard let place = contents.first?.place else { continue }
                try Self.index(contents.map(\.chunk), in: place, now, db)
            }
            var transaction = try BatchTransaction(batch, tree: tree, bytesQuota: bytesQuota, now: now, db)
            return try transaction.run(db)
        }
    }

    /// A content of a batch that is not in the index yet, and where it is meant to be.
    struct StoredContent: Sendable {
        let place: ChunkPlace
        let chunk: StoredChunk
    }

    /// In whose trees the contents that came inline are meant to be. What is meant for where the caller may not write
    /// is left out: its operation is refused.
    func places(
        ofContentsIn batch: PreparedBatch,
        for caller: UserID
    ) throws(APIError) -> [(place: ChunkPlace, contents: [ChunkContent])] {
        let home = try chunkPlace(for: nil, of: caller)
        let parents = batch.parentsOfCreations
        var nodes: [TreeNumber: NodeID] = [:]
        var contents: [TreeNumber: [ChunkContent]] = [:]
        try read { db in
            var known = try KnownNodes(of: batch, parents, db)
            for content in batch.contents {
                var placed: Set<TreeNumber> = []
                for file in batch.filesOfContents[content.digest] ?? [] {
                    var id = file
                    var node = try known.find(id, db)
                    var rounds = 0
                    // A file that the batch makes lies where its folder lies, which it may make too.
                    while node == nil, let parent = parents[id], rounds < Limits.Wire.batchOperationCountMax {
                        id = parent
                        node = try known.find(id, db)
                        rounds += 1
                    }
                    let tree = node?.tree ?? home.tree
                    nodes[tree] = nodes[tree] ?? id
                    if placed.insert(tree).inserted { contents[tree, default: []].append(content) }
                }
            }
        }
        var places: [(place: ChunkPlace, contents: [ChunkContent])] = []
        for (tree, contents) in contents {
            if tree == home.tree {
                places.append((home, contents))
            } else if let node = nodes[tree] {
                do throws(APIError) {
                    places.append((try chunkPlace(for: node, of: caller), contents))
                } catch {
                    guard error.code == .notFound || error.code == .forbidden else { throw error }
                }
            }
        }
        return places
    }
}

/// Nodes for which contents of a batch came, and the folders that they are made in, each looked for once.
private struct KnownNodes {
    /// Nil stands for one that is not there.
    private var known: [NodeID: StoredNode?] = [:]

    /// All at once, where the database answers in sets.
    init(of batch: PreparedBatch, _ parents: [NodeID: NodeID], _ db: borrowing StoreConnection) throws {
        guard db.isPostgres, batch.contents.count > 1 else { return }
        var ids: Set<NodeID> = []
        for files in batch.filesOfContents.values {
            ids.formUnion(files)
            ids.formUnion(files.compactMap { parents[$0] })
        }
        let found = try NodeTable.loadSet(Array(ids), db)
        for id in ids { known[id] = .some(found[id]) }
    }

    mutating func find(_ id: NodeID, _ db: borrowing StoreConnection) throws -> StoredNode? {
        if let known = known[id] { return known }
        let node = try NodeTable.load(id, db)
        known[id] = .some(node)
        return node
    }
}
