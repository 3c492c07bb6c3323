import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Batches from devices: contents first, then one transaction, then whoever follows the tree is woken.
struct Mutations: Sendable {
    let store: TreeStore
    let content: ChunkAccess
    let feed: ChangeFeed
    let measures: FilesMeasures

    func run(_ body: [UInt8], of owner: UserID) throws(APIError) -> BatchAnswer {
        try run(try PreparedBatch(body: body), of: owner)
    }

    func run(_ batch: PreparedBatch, of owner: UserID) throws(APIError) -> BatchAnswer {
        let stored = try storeContents(of: batch, owner)
        let outcome = try store.apply(batch, storing: stored, of: owner)
        if outcome.hasChanged { feed.announce(owner) }
        measures.count(outcome.answer.results)
        return outcome.answer
    }

    /// Those that the owner lacks: durable, or to become so with the batch. A batch that is sent again finds them.
    private func storeContents(of batch: PreparedBatch, _ owner: UserID) throws(APIError) -> [StoredChunk] {
        guard !batch.contents.isEmpty else { return [] }
        let missing = Set(try store.missing(batch.contents.map(\.digest), of: owner))
        return try content.place(batch.contents.filter { missing.contains($0.digest) })
    }
}
