import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP

/// A file's bytes on their way in: cut into spans, hashed, stored a few at a time, while the next ones arrive. What it
/// holds in memory does not depend on the file's length, and is less where many write.
struct ContentWriter: ~Copyable {
    private let access: ChunkAccess
    private let place: TreeStore.ChunkPlace
    private var buffer: [UInt8] = []
    /// Whole spans that are not yet on their way.
    private var waiting: [[UInt8]] = []
    private var underWay: StoringSpans?
    private var whole: SHA256? = SHA256()
    private(set) var spans: [Span] = []
    private(set) var size: Int64 = 0

    init(_ access: ChunkAccess, _ place: TreeStore.ChunkPlace) {
        self.access = access
        self.place = place
        access.writers.begin()
    }

    // It is also needed: without one the optimizer of Swift 6.3.1 crashes where it inlines the making of such values.
    deinit {
        underWay?.abandon()
        access.writers.end()
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        try checkRoom(for: bytes.count)
        whole?.update(bytes)
        size += Int64(bytes.count)
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, Limits.spanBytes - buffer.count)
            buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if buffer.count == Limits.spanBytes { try cut() }
        }
    }

    mutating func append(bytes: [UInt8]) throws(APIError) {
        try checkRoom(for: bytes.count)
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

    /// The whole content as `TreeStore.putContent` takes it. Its last chunks enter the index there, in the transaction
    /// that names them, so that a small file costs one barrier.
    mutating func finish() throws(APIError) -> WrittenContent {
        if !buffer.isEmpty { takeBuffer() }
        try settle()
        let contents = waiting.map { ChunkContent($0) }
        waiting = []
        note(contents.map { ($0.digest, $0.bytes.count) })
        let lacking = try access.lacking(contents, in: place)
        let chunks =
            lacking.isEmpty ? [] : try access.writers.packing { () throws(APIError) in try access.place(lacking) }
        let digest = whole.take()?.finalize()
        return WrittenContent(size: size, spans: spans, digest: digest, entering: chunks, in: place)
    }

    private mutating func takeBuffer() {
        waiting.append(buffer)
        buffer = []
    }

    private func checkRoom(for count: Int) throws(APIError) {
        guard size + Int64(count) <= place.bytesRoom else {
            throw APIError(.quotaExceeded, "the owner's quota would be exceeded")
        }
    }

    private mutating func cut() throws(APIError) {
        takeBuffer()
        guard waiting.count >= access.writers.spansTogether else {
            buffer.reserveCapacity(Limits.spanBytes)
            return
        }
        try settle()
        let next = StoringSpans(waiting, access, place)
        waiting = []
        underWay = next
        if !access.writers.storesAside || !ContentHelpers.submit({ next.run() }) { next.run() }
        buffer.reserveCapacity(Limits.spanBytes)
    }

    /// What was under way is stored.
    private mutating func settle() throws(APIError) {
        guard let underWay else { return }
        self.underWay = nil
        note(try underWay.outcome())
    }

    private mutating func note(_ chunks: [(digest: Digest, bytes: Int)]) {
        for chunk in chunks {
            spans.append(Span(index: spans.count, bytes: chunk.bytes, source: .chunk(chunk.digest)))
        }
    }
}
