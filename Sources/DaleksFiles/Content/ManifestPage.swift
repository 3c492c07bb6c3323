import DaleksAPI
import DaleksCore

/// The spans of one stretch of a file (`Limits.Files.manifestPageSpanCount` of them), holes left out.
///
/// Pages are never changed once they are stored: a commit writes those that it touches anew, and versions share the
/// rest.
struct ManifestPage: Hashable, Sendable {
    /// In order of index, each once.
    private(set) var spans: [PlacedSpan] = []

    private static let version: UInt8 = 1

    var bytes: Int64 { spans.reduce(0) { $0 + Int64($1.bytes) } }

    /// Bytes of those of its spans that another page has not at the same place.
    func bytesLacking(in other: ManifestPage) -> Int64 {
        spans.reduce(0) { bytes, span in
            guard let there = other[span.index] else { return bytes + Int64(span.bytes) }
            return there.form == span.form ? bytes : bytes + Int64(span.bytesLacking(in: there))
        }
    }

    subscript(index: Int) -> PlacedSpan? {
        let place = place(of: index)
        guard place < spans.count, spans[place].index == index else { return nil }
        return spans[place]
    }

    /// Puts a span there, or with nil a hole.
    mutating func set(_ index: Int, to span: PlacedSpan?) {
        let place = place(of: index)
        let isThere = place < spans.count && spans[place].index == index
        switch (span, isThere) {
        case (let span?, true): spans[place] = span
        case (let span?, false): spans.insert(span, at: place)
        case (nil, true): spans.remove(at: place)
        case (nil, false): break
        }
    }

    /// Puts what a commit says there, whose chunks are known to be stored.
    mutating func place(_ span: Span) {
        let index = span.index % Limits.Files.manifestPageSpanCount
        switch span.source {
        case .chunk(let digest):
            let part = PlacedSpan.Part(digest: digest, bytes: span.bytes)
            set(index, to: PlacedSpan(index: index, form: .chunk(part)))
        case .split(let split): set(index, to: PlacedSpan.changing(self[index], split.pieces, at: index))
        case .hole: set(index, to: nil)
        case .inline: preconditionFailure("inline bytes become chunks before a commit is decided")
        }
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
        for span in spans { span.write(to: &writer) }
        return writer.bytes
    }

    init(record: [UInt8]) throws(RecordError) {
        var reader = RecordReader(record, "manifest page")
        guard try reader.byte() == Self.version else { throw reader.failure }
        for _ in 0..<(try reader.count(upTo: Limits.Files.manifestPageSpanCount)) {
            let span = try PlacedSpan(&reader)
            guard span.index > spans.last?.index ?? -1 else { throw reader.failure }
            spans.append(span)
        }
        guard reader.isAtEnd else { throw reader.failure }
    }
}
