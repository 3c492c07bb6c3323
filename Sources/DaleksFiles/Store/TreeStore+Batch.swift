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
            for content in contents { try Self.index(content.chunk, in: content.place, now, db) }
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
            for content in batch.contents {
                var placed: Set<TreeNumber> = []
                for file in batch.filesOfContents[content.digest] ?? [] {
                    var id = file
                    var node = try NodeTable.load(id, db)
                    var rounds = 0
                    // A file that the batch makes lies where its folder lies, which it may make too.
                    while node == nil, let parent = parents[id], rounds < Limits.Wire.batchOperationCountMax {
                        id = parent
                        node = try NodeTable.load(id, db)
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
