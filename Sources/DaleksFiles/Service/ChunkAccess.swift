import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Chunks as the outside puts and reads them.
struct ChunkAccess: Sendable {
    let store: TreeStore
    let chunks: any ChunkStore
    let measures: FilesMeasures

    /// True where it was stored now, false where the owner had it. Either way it is there and survives a power cut.
    func put(_ bytes: [UInt8], as digest: Digest, of owner: UserID) throws(APIError) -> Bool {
        guard let content = ChunkContent(bytes, claimedToBe: digest) else {
            throw .invalid("the bytes are not those of this digest")
        }
        if try store.holds(digest, of: owner) {
            // Another request may have entered it just now and still wait for its barrier.
            try store.flush()
            return false
        }
        let locations = try Self.translating(store.logger) { () throws(ChunkStoreError) in try chunks.store([content]) }
        for location in locations { try store.index(digest, at: location, of: owner) }
        measures.stored(locations)
        return true
    }

    /// The bytes of one span of one revision.
    func read(_ index: Int, of node: NodeID, at content: Revision, for caller: UserID) throws(APIError) -> [UInt8] {
        let span = try store.span(index, of: node, at: content, for: caller)
        do throws(ChunkStoreError) {
            return try read(span)
        } catch {
            // The collector may have taken this revision meanwhile; then its manifest is gone too, and this says so.
            let again = try store.span(index, of: node, at: content, for: caller)
            guard again.location != span.location else {
                if case .damaged = error { measures.damagedChunks.increment() }
                throw StorageFailure.apiError(error, store.logger)
            }
            return try Self.translating(store.logger) { () throws(ChunkStoreError) in try read(again) }
        }
    }

    private func read(_ span: TreeStore.LocatedSpan) throws(ChunkStoreError) -> [UInt8] {
        guard let location = span.location else { throw .damaged(span.digest) }
        return try chunks.read(span.digest, at: location)
    }

    static func translating<Result>(
        _ logger: Logger,
        _ body: () throws(ChunkStoreError) -> Result
    ) throws(APIError) -> Result {
        do throws(ChunkStoreError) { return try body() } catch { throw StorageFailure.apiError(error, logger) }
    }
}
