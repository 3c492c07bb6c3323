import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksSystem

/// Makes a commit out of a file's dirty spans: hash, ask what the region lacks, put that, name all of it. A span of
/// which few pieces changed is told in pieces, where the region knows them.
///
/// What the region has already is not sent again, so an upload that was broken off goes on where it was.
///
/// ## Concurrency
/// One call works on one snapshot, on the caller's thread; calls for different files run side by side. Of one file two
/// windows are in memory: while one is on its way, the next is read and hashed, and the region asked what it lacks.
struct Uploader: Sendable {
    /// 8 MiB of a file: two of them keep a region busy, and are little enough for a small machine.
    private static let windowBytes = 8 << 20

    /// From half a span on, one whole chunk is less work for everybody than its pieces.
    private static let pieceCountMax = Piece.countPerSpan / 2

    /// Chunks up to this size go many to a request, up to so much of them.
    private static let smallChunkBytes = 256 << 10
    private static let batchBytes = 4 << 20

    let remote: any Remote
    let pool: any WorkQueue
    let sending: Sending

    /// What a commit says of one span, before anything is read.
    private struct Part {
        var span: Int
        /// Nil where the whole span is told.
        var pieces: [Int]?
        var bytes: Int
    }

    private func parts(_ snapshot: ContentSnapshot, base: Revision) -> [Part] {
        // Only the content that they were counted from.
        let tellsPieces = base > 0 && snapshot.base == base && remote.features.contains(.pieces)
        return snapshot.spans.compactMap { span in
            let count = FileContent.bytes(in: span, ofSize: snapshot.size)
            guard count > 0 else { return nil }
            guard tellsPieces, let changed = snapshot.pieces[span] else {
                return Part(span: span, pieces: nil, bytes: count)
            }
            let pieces = changed.indexes.filter { $0 * Limits.pieceBytes < count }
            guard !pieces.isEmpty, pieces.count <= Self.pieceCountMax else {
                return Part(span: span, pieces: nil, bytes: count)
            }
            let bytes = pieces.reduce(0) { $0 + Self.bytes(inPiece: $1, of: count) }
            return Part(span: span, pieces: pieces, bytes: bytes)
        }
    }

    private static func bytes(inPiece piece: Int, of count: Int) -> Int {
        min(Limits.pieceBytes, count - piece * Limits.pieceBytes)
    }

    /// The spans of a small commit, with their bytes inside; nil where it is too large for that.
    func inlineSpans(
        of content: FileContent,
        _ snapshot: ContentSnapshot,
        base: Revision
    ) throws(Errno) -> [Span]? {
        let parts = parts(snapshot, base: base)
        guard parts.reduce(0, { $0 + $1.bytes }) <= Limits.Wire.inlineBytesMax else { return nil }
        var spans: [Span] = []
        for part in parts {
            let bytes = try snapshot.read(part.span, from: content.backing)
            spans.append(Self.span(part, bytes, whole: { .inline($0) }, piece: { .inline($0) }))
        }
        return spans
    }

    private static func span(
        _ part: Part,
        _ bytes: [UInt8],
        whole: ([UInt8]) -> Span.Source,
        piece: ([UInt8]) -> Piece.Source
    ) -> Span {
        guard let indexes = part.pieces else {
            return Span(index: part.span, bytes: bytes.count, source: whole(bytes))
        }
        let pieces = indexes.map { index in
            let start = index * Limits.pieceBytes
            let content = Array(bytes[start..<start + self.bytes(inPiece: index, of: bytes.count)])
            return Piece(index: index, bytes: content.count, source: piece(content))
        }
        return Span(index: part.span, bytes: bytes.count, source: .split(SplitSpan(pieces: pieces)))
    }

    /// Uploads what the region lacks and adds the spans by digest to `spans`. `place`: where, in somebody else's tree.
    ///
    /// After a failure it is called again with what is in `spans` by then, and goes on behind it: those may have been
    /// written to since, and read once more they would not be of the snapshot's instant.
    func upload(
        _ content: FileContent,
        _ snapshot: ContentSnapshot,
        base: Revision,
        place: NodeID?,
        onto spans: inout [Span]
    ) throws(UploadFailure) {
        var underWay: Window?
        for parts in Self.windows(parts(snapshot, base: base).dropFirst(spans.count)) {
            let next: Window
            do throws(UploadFailure) { next = try prepare(parts, content, snapshot, place) } catch {
                // What is under way counts all the same.
                try settle(underWay, snapshot, &spans)
                throw error
            }
            try settle(underWay, snapshot, &spans)
            send(next, place)
            // The bytes are the jobs' now, which let go of each batch when it is there.
            underWay = Window(spans: next.spans, batches: [], outcome: next.outcome)
        }
        try settle(underWay, snapshot, &spans)
    }

    /// A part of a file on its way.
    private struct Window {
        var spans: [Span]
        var batches: [[ChunkBatch.Member]]
        let outcome: Condition<(left: Int, failure: UploadFailure?)>
    }

    private static func windows(_ parts: some Sequence<Part>) -> [[Part]] {
        var (windows, window, bytes): ([[Part]], [Part], Int) = ([], [], 0)
        for part in parts {
            window.append(part)
            bytes += part.bytes
            guard bytes >= windowBytes else { continue }
            windows.append(window)
            (window, bytes) = ([], 0)
        }
        return window.isEmpty ? windows : windows + [window]
    }

    /// Waits until all of it is there.
    private func settle(
        _ window: Window?,
        _ snapshot: ContentSnapshot,
        _ spans: inout [Span]
    ) throws(UploadFailure) {
        guard let window else { return }
        if let failure = window.outcome.waitThrowing(until: { $0.left == 0 }, { $0.failure }) { throw failure }
        for span in window.spans { snapshot.finished(span.index) }
        spans += window.spans
    }

    /// Reads and hashes, and asks which of it the region lacks.
    private func prepare(
        _ window: [Part],
        _ content: FileContent,
        _ snapshot: ContentSnapshot,
        _ place: NodeID?
    ) throws(UploadFailure) -> Window {
        var chunks: [Digest: [UInt8]] = [:]
        var spans: [Span] = []
        for part in window {
            let bytes: [UInt8]
            do throws(Errno) {
                bytes = try snapshot.read(part.span, from: content.backing)
            } catch {
                throw .local(error)
            }
            func digest(_ bytes: [UInt8]) -> Digest? {
                if Self.isZero(bytes) { return nil }
                let digest = SHA256.digest(of: bytes)
                chunks[digest] = bytes
                return digest
            }
            spans.append(
                Self.span(
                    part,
                    bytes,
                    whole: { bytes in digest(bytes).map { .chunk($0) } ?? .hole },
                    piece: { bytes in digest(bytes).map { .chunk($0) } ?? .hole }
                )
            )
        }
        let batches = try lacking(chunks, place)
        return Window(spans: spans, batches: batches, outcome: Condition((batches.count, nil)))
    }

    /// Those of the chunks that the region lacks: small ones together, large ones one by one.
    private func lacking(_ chunks: [Digest: [UInt8]], _ place: NodeID?) throws(UploadFailure) -> [[ChunkBatch.Member]] {
        guard !chunks.isEmpty else { return [] }
        let answer: [Digest]?
        do throws(RemoteError) {
            answer = try sending.unlessPaused { () throws(RemoteError) in
                try remote.missing(Array(chunks.keys), for: place)
            }
        } catch {
            throw .remote(error)
        }
        guard let missing = answer else { throw .paused }
        var batches: [[ChunkBatch.Member]] = []
        var (batch, batchBytes): ([ChunkBatch.Member], Int) = ([], 0)
        for digest in missing {
            guard let bytes = chunks[digest] else {
                throw .remote(.refused(code: "internal", detail: "unasked digest"))
            }
            let member = ChunkBatch.Member(digest: digest, content: bytes)
            guard bytes.count <= Self.smallChunkBytes else {
                batches.append([member])
                continue
            }
            batch.append(member)
            batchBytes += bytes.count
            if batchBytes >= Self.batchBytes || batch.count == Limits.Wire.chunkBatchCountMax {
                batches.append(batch)
                (batch, batchBytes) = ([], 0)
            }
        }
        if !batch.isEmpty { batches.append(batch) }
        return batches
    }

    /// Puts several at a time.
    private func send(_ window: Window, _ place: NodeID?) {
        for batch in window.batches {
            let (remote, sending, outcome) = (remote, sending, window.outcome)
            let job: @Sendable () -> Void = {
                var failure: UploadFailure?
                do throws(RemoteError) {
                    let put: Void? = try sending.unlessPaused { () throws(RemoteError) in
                        try remote.put(batch, for: place)
                    }
                    if put == nil { failure = .paused }
                } catch {
                    failure = .remote(error)
                }
                outcome.withLock { $0 = ($0.left - 1, $0.failure ?? failure) }
                outcome.broadcast()
            }
            if !pool.submit(job) { job() }
        }
    }

    private static func isZero(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            // Content that is not zero shows it at once nearly always, so the loop is short where it matters.
            buffer.allSatisfy { $0 == 0 }
        }
    }
}

enum UploadFailure: Error {
    case local(Errno)
    case remote(RemoteError)
    /// Nothing may be sent now.
    case paused
}
