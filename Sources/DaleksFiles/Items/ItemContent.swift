import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// The bytes of one revision of a file, read from anywhere: whole answers, ranges, zip archives.
///
/// Rights are looked at again with each span, so that a reader whose right goes is cut off within a megabyte.
///
/// ## Concurrency
/// `last` is guarded by itself. One response reads at a time; spans are read with no lock held.
final class ItemContent: Sendable {
    private struct Held {
        var index = -1
        var bytes: [UInt8] = []
    }

    let size: Int64
    private let access: ChunkAccess
    private let node: NodeID
    private let content: Revision
    private let reader: UserID
    /// The spans that have bytes.
    private let spans: Set<Int>
    private let last = Lock(Held())

    init(_ access: ChunkAccess, node: NodeID, content: Revision, reader: UserID) throws(APIError) {
        let (size, placed) = try access.store.spans(of: node, at: content, for: reader)
        self.access = access
        self.node = node
        self.content = content
        self.size = size
        spans = Set(placed.map(\.index))
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
        var piece = from < bytes.count ? Array(bytes[from..<min(end, bytes.count)]) : []
        if piece.count < end - from { piece += [UInt8](repeating: 0, count: end - from - piece.count) }
        return piece
    }

    private func span(_ index: Int) throws(APIError) -> [UInt8] {
        if let held = last.withLock({ $0.index == index ? $0.bytes : nil }) { return held }
        guard spans.contains(index) else { return [] }
        let bytes = try access.read(index, of: node, at: content, for: reader)
        last.withLock { $0 = Held(index: index, bytes: bytes) }
        return bytes
    }

    var source: ContentSource {
        ContentSource(size: size) { [self] offset, count throws(APIError) in try read(offset, count) }
    }
}
