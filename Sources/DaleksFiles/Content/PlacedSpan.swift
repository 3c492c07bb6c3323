import DaleksAPI
import DaleksCore

/// One span of a stored manifest: a chunk, or pieces that lie over one or over nothing.
struct PlacedSpan: Hashable, Sendable {
    /// A chunk as far as it is shown. What follows is zeros.
    struct Part: Hashable, Sendable {
        var digest: Digest
        var bytes: Int
    }

    enum Form: Hashable, Sendable {
        case chunk(Part)
        case split(Split)
    }

    /// Pieces by their index; absent ones show `over`. An explicit hole hides `over` and is kept only for that.
    struct Split: Hashable, Sendable {
        var over: Part?
        var pieces: [Piece]

        struct Piece: Hashable, Sendable {
            var index: Int
            /// Nil for zeros.
            var part: Part?
        }
    }

    /// Counted within the page.
    var index: Int
    var form: Form

    /// Each chunk that it names, as often as it names it.
    var parts: [Part] {
        switch form {
        case .chunk(let part): [part]
        case .split(let split): (split.over.map { [$0] } ?? []) + split.pieces.compactMap(\.part)
        }
    }

    /// A stretch of the span that shows bytes of one chunk.
    struct Stretch: Hashable, Sendable {
        /// Within the span.
        var range: Range<Int>
        /// Where in the chunk it begins.
        var from: Int
        var part: Part
    }

    /// In order; between and behind them are zeros.
    var stretches: [Stretch] {
        switch form {
        case .chunk(let part): return [Stretch(range: 0..<part.bytes, from: 0, part: part)]
        case .split(let split):
            var stretches: [Stretch] = []
            for index in 0..<Piece.countPerSpan {
                let start = index * Limits.pieceBytes
                if let piece = split.pieces.first(where: { $0.index == index }) {
                    guard let part = piece.part else { continue }
                    stretches.append(Stretch(range: start..<start + part.bytes, from: 0, part: part))
                } else if let over = split.over, over.bytes > start {
                    let end = min(over.bytes, start + Limits.pieceBytes)
                    if let last = stretches.last, last.part == over, last.from + last.range.count == start {
                        stretches[stretches.count - 1].range = last.range.lowerBound..<end
                    } else {
                        stretches.append(Stretch(range: start..<end, from: start, part: over))
                    }
                }
            }
            return stretches
        }
    }

    /// Bytes that are not zeros by omission: what the span costs its owner.
    var bytes: Int { stretches.reduce(0) { $0 + $1.range.count } }

    /// Bytes that it shows and the other span does not, counted by pieces.
    func bytesLacking(in other: PlacedSpan) -> Int {
        let there = Set(other.pieceStretches)
        return pieceStretches.reduce(0) { there.contains($1) ? $0 : $0 + $1.range.count }
    }

    /// The stretches cut where pieces meet.
    private var pieceStretches: [Stretch] {
        stretches.flatMap { stretch in
            stride(from: stretch.range.lowerBound, to: stretch.range.upperBound, by: Limits.pieceBytes).map { start in
                let end = min(start + Limits.pieceBytes, stretch.range.upperBound)
                let from = stretch.from + start - stretch.range.lowerBound
                return Stretch(range: start..<end, from: from, part: stretch.part)
            }
        }
    }

    /// Up to where it may be other than zero.
    var extent: Int { stretches.last?.range.upperBound ?? 0 }
}

extension PlacedSpan {
    /// What becomes of a span (nil: a hole) when these pieces change.
    static func changing(_ old: PlacedSpan?, _ pieces: [DaleksAPI.Piece], at index: Int) -> PlacedSpan? {
        var split: Split
        switch old?.form {
        case nil: split = Split(over: nil, pieces: [])
        case .chunk(let part): split = Split(over: part, pieces: [])
        case .split(let known): split = known
        }
        for piece in pieces {
            split.pieces.removeAll { $0.index == piece.index }
            let part = piece.digest.map { Part(digest: $0, bytes: piece.bytes) }
            split.pieces.append(Split.Piece(index: piece.index, part: part))
        }
        split.pieces.sort { $0.index < $1.index }
        return split.simplified.map { PlacedSpan(index: index, form: $0) }
    }

    /// As a manifest tells it, in pieces.
    func span(at index: Int) -> Span {
        switch form {
        case .chunk(let part): return Span(index: index, bytes: part.bytes, source: .chunk(part.digest))
        case .split(let split):
            let pieces = split.pieces.map { piece in
                DaleksAPI.Piece(
                    index: piece.index,
                    bytes: piece.part?.bytes ?? Limits.pieceBytes,
                    source: piece.part.map { .chunk($0.digest) } ?? .hole
                )
            }
            let over = split.over.map { SplitSpan.Base(digest: $0.digest, bytes: $0.bytes) }
            return Span(index: index, bytes: extent, source: .split(SplitSpan(over: over, pieces: pieces)))
        }
    }
}

extension PlacedSpan.Split {
    /// The same bytes in fewer words: nothing that is nowhere seen is kept. Nil where nothing is left.
    var simplified: PlacedSpan.Form? {
        var split = self
        if let over,
            (0..<(over.bytes + Limits.pieceBytes - 1) / Limits.pieceBytes).allSatisfy({ index in
                pieces.contains { $0.index == index }
            })
        {
            split.over = nil
        }
        split.pieces.removeAll { piece in
            piece.part == nil && (split.over.map { $0.bytes <= piece.index * Limits.pieceBytes } ?? true)
        }
        switch (split.over, split.pieces.count) {
        case (nil, 0): return nil
        case (let over?, 0): return .chunk(over)
        case (nil, 1) where split.pieces[0].index == 0: return split.pieces[0].part.map { .chunk($0) }
        default: return .split(split)
        }
    }
}

extension PlacedSpan {
    private enum Code: UInt8 { case chunk = 1, split = 2 }

    func write(to writer: inout RecordWriter) {
        writer.count(index)
        switch form {
        case .chunk(let part):
            writer.byte(Code.chunk.rawValue)
            part.write(to: &writer)
        case .split(let split):
            writer.byte(Code.split.rawValue)
            writer.byte(split.over == nil ? 0 : 1)
            split.over?.write(to: &writer)
            writer.count(split.pieces.count)
            for piece in split.pieces {
                writer.count(piece.index)
                writer.byte(piece.part == nil ? 0 : 1)
                piece.part?.write(to: &writer)
            }
        }
    }

    init(_ reader: inout RecordReader) throws(RecordError) {
        index = try reader.count(upTo: Limits.Files.manifestPageSpanCount - 1)
        switch Code(rawValue: try reader.byte()) {
        case .chunk: form = .chunk(try Part(&reader, bytesMax: Limits.spanBytes))
        case .split:
            let over = try reader.byte() == 1 ? try Part(&reader, bytesMax: Limits.spanBytes) : nil
            var pieces: [Split.Piece] = []
            for _ in 0..<(try reader.count(upTo: Piece.countPerSpan)) {
                let index = try reader.count(upTo: Piece.countPerSpan - 1)
                guard index > pieces.last?.index ?? -1 else { throw reader.failure }
                let part = try reader.byte() == 1 ? try Part(&reader, bytesMax: Limits.pieceBytes) : nil
                pieces.append(Split.Piece(index: index, part: part))
            }
            form = .split(Split(over: over, pieces: pieces))
        case nil: throw reader.failure
        }
    }
}

extension PlacedSpan.Part {
    fileprivate func write(to writer: inout RecordWriter) {
        writer.count(bytes)
        writer.digest(digest)
    }

    fileprivate init(_ reader: inout RecordReader, bytesMax: Int) throws(RecordError) {
        let bytes = try reader.count(upTo: bytesMax)
        self.init(digest: try reader.digest(), bytes: bytes)
    }
}
