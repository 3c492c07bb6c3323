import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Chunks as the outside puts and reads them.
struct ChunkAccess: Sendable {
    let store: TreeStore
    let chunks: any ChunkStore
    let measures: FilesMeasures

    /// True where it was stored now, false where the caller had it there. Either way it is there and survives a power
    /// cut. `node` says in whose tree; the caller's own without.
    func put(
        _ bytes: [UInt8],
        as digest: Digest,
        for node: NodeID? = nil,
        of caller: UserID
    ) throws(APIError) -> Bool {
        guard let content = ChunkContent(bytes, claimedToBe: digest) else {
            throw .invalid("the bytes are not those of this digest")
        }
        let place = try store.chunkPlace(for: node, of: caller)
        if try store.missing([digest], in: place).isEmpty {
            // Another request may have entered it just now and still wait for its barrier.
            try store.flush()
            return false
        }
        try put([content], in: place)
        return true
    }

    /// Stores contents that are not there, or that the caller could not name, and enters them.
    func put(_ contents: [ChunkContent], in place: TreeStore.ChunkPlace) throws(APIError) {
        // A guest's copy of what the owner has already is stored all the same: how long it takes tells nothing.
        let locations = try Self.translating(store.logger) { () throws(ChunkStoreError) in try chunks.store(contents) }
        chunks.discard(try store.index(zip(contents, locations).map { ($0.digest, $1) }, in: place))
        measures.stored(locations)
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
