import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP

/// A file's bytes on their way in: cut into spans, hashed, stored a few at a time. What it holds in memory does not
/// depend on the file's length.
struct ContentWriter: ~Copyable {
    private let access: ChunkAccess
    private let place: TreeStore.ChunkPlace
    private var buffer: [UInt8] = []
    private var waiting: [ChunkContent] = []
    private var whole: SHA256? = SHA256()
    private(set) var spans: [Span] = []
    private(set) var size: Int64 = 0

    init(_ access: ChunkAccess, _ place: TreeStore.ChunkPlace) {
        self.access = access
        self.place = place
        buffer.reserveCapacity(Limits.spanBytes)
    }

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of such values.
    deinit {}

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        whole?.update(bytes)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Limits.spanBytes - buffer.count)
            buffer.append(contentsOf: piece)
            rest = rest.dropFirst(piece.count)
            if buffer.count == Limits.spanBytes { try cut() }
        }
        size += Int64(bytes.count)
    }

    mutating func append(bytes: [UInt8]) throws(APIError) {
        // The closure of `withUnsafeBytes` throws untyped, and cannot change what cannot be copied.
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Limits.spanBytes - buffer.count)
            let piece = Array(bytes[start..<end])
            whole?.update(piece)
            buffer += piece
            size += Int64(piece.count)
            if buffer.count == Limits.spanBytes { try cut() }
            start = end
        }
    }

    /// Everything is stored when this returns.
    mutating func finish() throws(APIError) -> Digest? {
        if !buffer.isEmpty { try cut() }
        try store()
        return whole.take()?.finalize()
    }

    private mutating func cut() throws(APIError) {
        let content = ChunkContent(buffer)
        spans.append(Span(index: spans.count, bytes: buffer.count, source: .chunk(content.digest)))
        waiting.append(content)
        buffer.removeAll(keepingCapacity: true)
        if waiting.count == Limits.Files.writtenSpansTogether { try store() }
    }

    /// Several share a barrier.
    private mutating func store() throws(APIError) {
        guard !waiting.isEmpty else { return }
        let contents = waiting
        waiting = []
        try access.putLacking(contents, in: place)
    }
}
