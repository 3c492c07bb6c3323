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
/// One call works on one snapshot, on the caller's thread; calls for different files run side by side. At most
/// `windowBytes` of one file are in memory at a time.
struct Uploader: Sendable {
    /// 16 MiB of a file at once: enough to keep a region busy, little enough for a small machine.
    private static let windowBytes = 16 << 20

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
        var window: [Part] = []
        var windowBytes = 0
        for part in parts(snapshot, base: base).dropFirst(spans.count) {
            window.append(part)
            windowBytes += part.bytes
            if windowBytes >= Self.windowBytes {
                spans += try upload(window, content, snapshot, place)
                (window, windowBytes) = ([], 0)
            }
        }
        spans += try upload(window, content, snapshot, place)
    }

    private func upload(
        _ window: [Part],
        _ content: FileContent,
        _ snapshot: ContentSnapshot,
        _ place: NodeID?
    ) throws(UploadFailure) -> [Span] {
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
        try put(chunks, place)
        for part in window { snapshot.finished(part.span) }
        return spans
    }

    /// Puts those of the chunks that the region lacks: small ones together, large ones several at a time.
    private func put(_ chunks: [Digest: [UInt8]], _ place: NodeID?) throws(UploadFailure) {
        guard !chunks.isEmpty else { return }
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
        try send(batches, place)
    }

    private func send(_ batches: [[ChunkBatch.Member]], _ place: NodeID?) throws(UploadFailure) {
        let outcome = Condition<(left: Int, failure: UploadFailure?)>((batches.count, nil))
        for batch in batches {
            let (remote, sending) = (remote, sending)
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
        let failure = outcome.waitThrowing(until: { $0.left == 0 }) { $0.failure }
        if let failure { throw failure }
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
