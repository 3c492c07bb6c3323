import DaleksAPI
import DaleksCore

/// The spans of one stretch of a file (`Limits.Files.manifestPageSpanCount` of them), holes left out.
///
/// Pages are never changed once they are stored: a commit writes those that it touches anew, and versions share the
/// rest.
struct ManifestPage: Hashable, Sendable {
    struct PlacedSpan: Hashable, Sendable {
        /// Counted within the page.
        var index: Int
        /// Bytes of the chunk. Fewer than the span covers means that zeros follow.
        var bytes: Int
        var digest: Digest
    }

    /// In order of index, each once.
    private(set) var spans: [PlacedSpan] = []

    /// How a span is stored. Others may come (pieces of 64 KiB); a reader refuses what it does not know.
    private enum Form: UInt8 { case chunk = 1 }
    private static let version: UInt8 = 1

    var bytes: Int64 { spans.reduce(0) { $0 + Int64($1.bytes) } }

    /// Bytes of those of its spans that another page has not at the same place.
    func bytesLacking(in other: ManifestPage) -> Int64 {
        spans.reduce(0) { other[$1.index]?.digest == $1.digest ? $0 : $0 + Int64($1.bytes) }
    }

    subscript(index: Int) -> PlacedSpan? {
        let place = place(of: index)
        guard place < spans.count, spans[place].index == index else { return nil }
        return spans[place]
    }

    /// Puts a chunk there, or with nil a hole.
    mutating func set(_ index: Int, to chunk: (digest: Digest, bytes: Int)?) {
        let place = place(of: index)
        let isThere = place < spans.count && spans[place].index == index
        switch (chunk, isThere) {
        case (let chunk?, true):
            spans[place] = PlacedSpan(index: index, bytes: chunk.bytes, digest: chunk.digest)
        case (let chunk?, false):
            spans.insert(PlacedSpan(index: index, bytes: chunk.bytes, digest: chunk.digest), at: place)
        case (nil, true): spans.remove(at: place)
        case (nil, false): break
        }
    }

    /// Puts what a commit says there, whose chunk is known to be stored.
    mutating func place(_ span: Span) {
        let index = span.index % Limits.Files.manifestPageSpanCount
        guard let digest = span.digest else { return set(index, to: nil) }
        set(index, to: (digest, span.bytes))
    }

    mutating func removeSpans(from index: Int) { spans.removeSubrange(place(of: index)...) }

    private func place(of index: Int) -> Int {
        var (low, high) = (0, spans.count)
        while low < high {
            let middle = (low + high) / 2
            if spans[middle].index < index { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension ManifestPage {
    var record: [UInt8] {
        var writer = RecordWriter(reservingBytes: 2 + spans.count * 37)
        writer.byte(Self.version)
        writer.count(spans.count)
        for span in spans {
            writer.count(span.index)
            writer.byte(Form.chunk.rawValue)
            writer.count(span.bytes)
            writer.digest(span.digest)
        }
        return writer.bytes
    }

    init(record: [UInt8]) throws(RecordError) {
        var reader = RecordReader(record, "manifest page")
        guard try reader.byte() == Self.version else { throw reader.failure }
        var last = -1
        for _ in 0..<(try reader.count(upTo: Limits.Files.manifestPageSpanCount)) {
            let index = try reader.count(upTo: Limits.Files.manifestPageSpanCount - 1)
            guard index > last, try reader.byte() == Form.chunk.rawValue else { throw reader.failure }
            let bytes = try reader.count(upTo: Limits.spanBytes)
            spans.append(PlacedSpan(index: index, bytes: bytes, digest: try reader.digest()))
            last = index
        }
        guard reader.isAtEnd else { throw reader.failure }
    }
}
