import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// The bytes of one revision of a file, read from anywhere: whole answers, ranges, zip archives.
///
/// Rights are looked at again with each span, so that a reader whose right goes is cut off within two megabytes. Who
/// reads on finds the next span read ahead.
///
/// ## Concurrency
/// `held` is guarded by itself. One response reads at a time, and at most one helper for it; spans are read with no
/// lock held.
final class ItemContent: Sendable {
    private struct Held {
        var index = -1
        var bytes: [UInt8] = []
        /// The span that a helper reads.
        var ahead: Int?
        /// What it found; a failure is left to be met again by who asks for the span.
        var found: [UInt8]?
    }

    private enum Step {
        case bytes([UInt8])
        case reads
    }

    let size: Int64
    private let access: ChunkAccess
    private let node: NodeID
    private let content: Revision
    private let reader: UserID
    /// The spans that have bytes.
    private let spans: Set<Int>
    private let held = Condition(Held())

    init(_ access: ChunkAccess, node: NodeID, content: Revision, reader: UserID) throws(APIError) {
        let (size, placed) = try access.store.spans(of: node, at: content, for: reader)
        self.access = access
        self.node = node
        self.content = content
        self.size = size
        spans = Set(placed.map(\.index))
        self.reader = reader
    }

    init(_ access: ChunkAccess, _ file: TreeStore.OpenedFile, reader: UserID) {
        self.access = access
        node = file.node
        content = file.facts.content
        size = file.facts.size
        spans = file.spans
        self.reader = reader
    }

    /// At most `count` bytes from an offset, none at the end; zeros where the file has a hole.
    func read(_ offset: Int64, _ count: Int) throws(APIError) -> [UInt8] {
        guard offset < size, count > 0 else { return [] }
        let index = Int(offset / Int64(Limits.spanBytes))
        let start = Int64(index) * Int64(Limits.spanBytes)
        let extent = Int(min(Int64(Limits.spanBytes), size - start))
        let from = Int(offset - start)
        let end = min(extent, from + count)
        let bytes = try span(index)
        if from == 0, end == bytes.count { return bytes }
        var piece = from < bytes.count ? Array(bytes[from..<min(end, bytes.count)]) : []
        if piece.count < end - from { piece += [UInt8](repeating: 0, count: end - from - piece.count) }
        return piece
    }

    private func span(_ index: Int) throws(APIError) -> [UInt8] {
        let step = held.wait { held -> Step? in
            if held.index == index { return .bytes(held.bytes) }
            guard held.ahead == index else { return .reads }
            guard let found = held.found else { return nil }
            return found.isEmpty ? .reads : .bytes(found)
        }
        var bytes: [UInt8] = []
        switch step {
        case .bytes(let known): bytes = known
        case .reads, nil: if spans.contains(index) { bytes = try readSpan(index) }
        }
        let isNext = held.withLock { held in
            guard held.index != index else { return false }
            // Whoever goes on to the next span reads them in order.
            let isNext = held.index == index - 1 && held.index >= 0
            let isIdle = held.ahead == nil || held.found != nil
            held.index = index
            held.bytes = bytes
            guard isNext, isIdle, spans.contains(index + 1) else { return false }
            held.ahead = index + 1
            held.found = nil
            return true
        }
        if isNext, !ContentHelpers.submit({ [self] in readAhead(index + 1) }) { finish(index + 1, []) }
        return bytes
    }

    /// The same where it can be sent from where it lies.
    private func ready(_ offset: Int64, _ count: Int) throws(APIError) -> (any ReadyContent)? {
        let index = Int(offset / Int64(Limits.spanBytes))
        let from = Int(offset - Int64(index) * Int64(Limits.spanBytes))
        // What is being read already is not looked for once more.
        guard spans.contains(index), !held.withLock({ $0.index == index || $0.ahead == index }),
            let chunk = try access.proved(index, of: node, at: content, for: reader), from < chunk.count
        else { return nil }
        return ReadySpan(chunk: chunk, offset: from, count: min(count, chunk.count - from)) {
            [self] () throws(APIError) in try readSpan(index)
        }
    }

    private func readSpan(_ index: Int) throws(APIError) -> [UInt8] {
        try access.read(index, of: node, at: content, for: reader)
    }

    private func readAhead(_ index: Int) { finish(index, (try? readSpan(index)) ?? []) }

    private func finish(_ index: Int, _ bytes: [UInt8]) {
        held.withLock { held in
            if held.ahead == index { held.found = bytes }
        }
        held.broadcast()
    }

    var source: ContentSource {
        ContentSource(
            size: size,
            read: { [self] offset, count throws(APIError) in try read(offset, count) },
            ready: { [self] offset, count throws(APIError) in try ready(offset, count) }
        )
    }
}
