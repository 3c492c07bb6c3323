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

    func run(_ batch: PreparedBatch, of caller: UserID) throws(APIError) -> BatchAnswer {
        let stored = try storeContents(of: batch, caller)
        let outcome = try store.apply(batch, storing: stored, of: caller)
        for owner in outcome.changedOwners { feed.announce(owner) }
        measures.count(outcome.answer.results)
        return outcome.answer
    }

    /// Those that are lacking where they are meant for: durable, or to become so with the batch. A batch that is sent
    /// again finds them.
    private func storeContents(
        of batch: PreparedBatch,
        _ caller: UserID
    ) throws(APIError) -> [TreeStore.StoredContent] {
        guard !batch.contents.isEmpty else { return [] }
        var lacking: [(place: TreeStore.ChunkPlace, content: ChunkContent)] = []
        for (place, contents) in try store.places(ofContentsIn: batch, for: caller) {
            let missing = Set(try store.missing(contents.map(\.digest), in: place))
            for content in contents where missing.contains(content.digest) { lacking.append((place, content)) }
        }
        guard !lacking.isEmpty else { return [] }
        return zip(lacking, try content.place(lacking.map(\.content))).map { item, chunk in
            TreeStore.StoredContent(place: item.place, chunk: chunk)
        }
    }
}
