import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Chunks as the outside puts and reads them.
struct ChunkAccess: Sendable {
    let store: TreeStore
    let chunks: any ChunkStore
    let measures: FilesMeasures
    /// Shared by its copies.
    let writers = ContentWriters()
    private let room = StagingRoom()

    init(store: TreeStore, chunks: any ChunkStore, measures: FilesMeasures) {
        self.store = store
        self.chunks = chunks
        self.measures = measures
    }

    /// Those of them that were not there, or that the caller could not name. All are there, and survive a power cut,
    /// when this returns. `node` says in whose tree; the caller's own without.
    @discardableResult
    func put(
        _ contents: [ChunkContent],
        for node: NodeID? = nil,
        of caller: UserID
    ) throws(APIError) -> [Digest] {
        var byDigest: [Digest: ChunkContent] = [:]
        for content in contents { byDigest[content.digest] = content }
        let place = try store.chunkPlace(for: node, of: caller)
        let missing = try store.missing(Array(byDigest.keys), in: place)
        if missing.isEmpty {
            // Another request may have entered one just now and still wait for its barrier.
            try store.flush()
        } else {
            try put(missing.compactMap { byDigest[$0] }, in: place)
        }
        return missing
    }

    /// True where it was stored now, false where the caller had it there.
    func put(
        _ bytes: [UInt8],
        as digest: Digest,
        for node: NodeID? = nil,
        of caller: UserID
    ) throws(APIError) -> Bool {
        guard let content = ChunkContent(bytes, claimedToBe: digest) else {
            throw .invalid("the bytes are not those of this digest")
        }
        return try !put([content], for: node, of: caller).isEmpty
    }

    /// Those of them that are lacking there are stored and entered; all of them can be named when this returns. With
    /// `.normal`, that survives a power cut together with the next transaction that does.
    func putLacking(
        _ contents: [ChunkContent],
        in place: TreeStore.ChunkPlace,
        _ durability: Durability = .full
    ) throws(APIError) {
        let lacking = try lacking(contents, in: place)
        // Another request may have entered the others just now and still wait for its barrier.
        if durability == .full, lacking.count < contents.count { try store.flush() }
        if !lacking.isEmpty { try put(lacking, in: place, durability) }
    }

    /// Those of them, each once, that are not there or that the caller could not name.
    func lacking(_ contents: [ChunkContent], in place: TreeStore.ChunkPlace) throws(APIError) -> [ChunkContent] {
        guard !contents.isEmpty else { return [] }
        var missing = Set(try store.missing(contents.map(\.digest), in: place))
        return contents.filter { missing.remove($0.digest) != nil }
    }

    /// Stores contents that are not there, or that the caller could not name, and enters them.
    func put(
        _ contents: [ChunkContent],
        in place: TreeStore.ChunkPlace,
        _ durability: Durability = .full
    ) throws(APIError) {
        let bytes = contents.reduce(Int64(0)) { $0 + Int64($1.bytes.count) }
        try room.take(bytes, in: place.tree, quota: try store.quota(of: place.tree), at: store.time.now) {
            () throws(APIError) in try store.stagedBytes(in: place.tree)
        }
        // A guest's copy of what the owner has already is stored all the same: how long it takes tells nothing.
        let stored = try writers.packing { () throws(APIError) in try self.place(contents) }
        chunks.discard(try store.index(stored, in: place, durability))
    }

    /// Contents to be entered in the index next: large ones durably in the store, small ones on their way into a row.
    func place(_ contents: [ChunkContent]) throws(APIError) -> [StoredChunk] {
        let packed = contents.map { PackedChunk($0) }
        let large = packed.filter { $0.stored.count > chunks.rowBytesMax }
        let locations = try Self.translating(store.logger) { () throws(ChunkStoreError) in try chunks.store(large) }
        var next = locations.makeIterator()
        let placed = packed.map { chunk -> StoredChunk in
            guard chunk.stored.count > chunks.rowBytesMax, let location = next.next() else { return .inRow(chunk) }
            return .placed(chunk.digest, location)
        }
        measures.stored(placed.map(\.measuredLocation))
        return placed
    }

    // MARK: Reading

    /// The bytes of a chunk of a tree. Only for whom they are known to be meant: an upload's own.
    func chunk(_ digest: Digest, in tree: TreeNumber) throws(APIError) -> [UInt8] {
        let (location, body) = try store.read { db -> (ChunkLocation?, [UInt8]?) in
            guard let location = try ChunkTable.load(digest, in: tree, db) else { return (nil, nil) }
            return (location, location.isInRow ? try SmallChunkTable.body(location.position, db) : nil)
        }
        return try Self.translating(store.logger) { () throws(ChunkStoreError) in
            try read(digest, at: location, stored: body)
        }
    }

    /// The manifest, its spans in pieces where they are split, or each as the one chunk that its bytes would be.
    func manifest(
        of node: NodeID,
        at content: Revision,
        inPieces: Bool,
        for caller: UserID
    ) throws(APIError) -> Manifest {
        let (size, placed) = try store.spans(of: node, at: content, for: caller)
        var spans: [Span] = []
        for span in placed {
            if case .split = span.form, !inPieces {
                let bytes = try read(span.index, of: node, at: content, for: caller)
                spans.append(Span(index: span.index, bytes: bytes.count, source: .chunk(SHA256.digest(of: bytes))))
            } else {
                spans.append(span.span(at: span.index))
            }
        }
        return Manifest(size: size, spans: spans)
    }

    /// A stretch of one span of one revision; shorter where the span ends before, empty where it is a hole.
    func read(
        _ index: Int,
        of node: NodeID,
        at content: Revision,
        range: Range<Int> = 0..<Limits.spanBytes,
        for caller: UserID
    ) throws(APIError) -> [UInt8] {
        try located(index, of: node, at: content, range: range, for: caller).bytes
    }

    /// The same, and where it was read from.
    private func located(
        _ index: Int,
        of node: NodeID,
        at content: Revision,
        range: Range<Int>,
        for caller: UserID
    ) throws(APIError) -> (span: TreeStore.LocatedSpan, bytes: [UInt8]) {
        let span = try store.span(index, of: node, at: content, for: caller)
        do throws(ChunkStoreError) {
            return (span, try read(span, range))
        } catch {
            // The collector may have taken this revision meanwhile, or its chunks were moved; the index knows.
            let again = try store.span(index, of: node, at: content, for: caller)
            guard again.locations != span.locations else {
                if case .damaged = error { measures.damagedChunks.increment() }
                throw StorageFailure.apiError(error, store.logger)
            }
            let bytes = try Self.translating(store.logger) { () throws(ChunkStoreError) in try read(again, range) }
            return (again, bytes)
        }
    }

    /// A span that consists of one chunk which was proved before; nil where it has to be read.
    func proved(
        _ index: Int,
        of node: NodeID,
        at content: Revision,
        for caller: UserID
    ) throws(APIError) -> ProvedChunk? {
        let span = try store.span(index, of: node, at: content, for: caller)
        guard span.stretches.count == 1, let only = span.stretches.first, let location = only.location,
            only.stretch.from == 0, only.stretch.range.lowerBound == 0, only.stretch.range.count == location.rawBytes
        else { return nil }
        return chunks.proved(location)
    }

    /// The bytes of a stretch of a span whose place is known; nothing is asked of the database.
    func read(_ span: TreeStore.LocatedSpan, _ range: Range<Int>) throws(ChunkStoreError) -> [UInt8] {
        let range = range.clamped(to: 0..<max(span.extent, 0))
        let wanted = span.stretches.filter { $0.stretch.range.overlaps(range) }
        if wanted.count == 1, wanted[0].stretch.from == 0, wanted[0].stretch.range == range,
            wanted[0].stretch.part.bytes == range.count
        {
            return try read(wanted[0])
        }
        var bytes = [UInt8](repeating: 0, count: range.count)
        var chunks: [Digest: [UInt8]] = [:]
        for located in wanted {
            let stretch = located.stretch
            let chunk: [UInt8]
            if let known = chunks[stretch.part.digest] { chunk = known } else { chunk = try read(located) }
            chunks[stretch.part.digest] = chunk
            let shown = stretch.range.clamped(to: range)
            let from = stretch.from + shown.lowerBound - stretch.range.lowerBound
            guard from + shown.count <= chunk.count else { throw .damaged(stretch.part.digest) }
            let start = shown.lowerBound - range.lowerBound
            bytes.replaceSubrange(start..<start + shown.count, with: chunk[from..<from + shown.count])
        }
        return bytes
    }

    private func read(_ located: TreeStore.LocatedStretch) throws(ChunkStoreError) -> [UInt8] {
        try read(located.stretch.part.digest, at: located.location, stored: located.body)
    }

    private func read(
        _ digest: Digest,
        at location: ChunkLocation?,
        stored body: [UInt8]?
    ) throws(ChunkStoreError) -> [UInt8] {
        guard let location else { throw .damaged(digest) }
        guard location.isInRow else { return try chunks.read(digest, at: location) }
        guard let body else { throw .damaged(digest) }
        return try PackedChunk(digest, location, stored: body).unpack()
    }

    /// Each read's bytes or why there are none, as much as one answer holds.
    func read(_ asking: ContentReads, for caller: UserID, requestID: String) -> ContentAnswers {
        var (answers, bytes): ([ContentAnswers.Answer], Int) = ([], 0)
        for read in asking.reads {
            guard bytes + read.range.count <= Limits.Wire.chunkBatchBytesMax else {
                answers.append(.later)
                // Those behind it too, so that a short one does not overtake.
                bytes = Limits.Wire.chunkBatchBytesMax
                continue
            }
            do throws(APIError) {
                let (span, content) = try located(
                    read.index,
                    of: read.node,
                    at: read.content,
                    range: read.range,
                    for: caller
                )
                bytes += content.count
                if asking.wantsDigests, !content.isEmpty, read.range.lowerBound == 0, content.count == span.extent {
                    answers.append(.whole(Self.digest(of: span, content), content))
                } else {
                    answers.append(.bytes(content))
                }
            } catch {
                answers.append(.problem(error.problem(requestID: requestID)))
            }
        }
        return ContentAnswers(answers)
    }

    /// As the manifest tells it: of a span that is split, what it would be as one chunk.
    private static func digest(of span: TreeStore.LocatedSpan, _ bytes: [UInt8]) -> Digest {
        guard span.stretches.count == 1, let only = span.stretches.first?.stretch, only.from == 0,
            only.range == 0..<bytes.count, only.part.bytes == bytes.count
        else { return SHA256.digest(of: bytes) }
        return only.part.digest
    }

    static func translating<Result>(
        _ logger: Logger,
        _ body: () throws(ChunkStoreError) -> Result
    ) throws(APIError) -> Result {
        do throws(ChunkStoreError) { return try body() } catch { throw StorageFailure.apiError(error, logger) }
    }
}

extension StoredChunk {
    /// For the measures: how large it is, in a row that has no number yet too.
    fileprivate var measuredLocation: ChunkLocation {
        switch self {
        case .placed(_, let location): location
        case .inRow(let packed): packed.location(inRow: 0)
        }
    }
}
