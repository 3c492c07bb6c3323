import DaleksCache
import DaleksCore
import DaleksSystem

/// Parts of spans that are not here, for whoever reads a little here and there.
///
/// A span counts as here once all of it hashes to what the region's manifest says; of a part nobody can tell. So parts
/// are kept in memory alone, answer reads and nothing else, and go with the content that they are of: the region has
/// checked them when it read them, and the line's encryption has since.
public struct Glimpse: Sendable {
    let revision: Revision
    /// By where they begin in the file.
    let parts: [(offset: Int64, bytes: [UInt8])]
}

extension FileContent {
    /// Who wants more of a span than this gets all of it.
    private static let glimpsesOfSpanMax = 4

    /// And who asks for more than this at a time.
    private static let scatteredBytesMax: Int64 = 4 * Int64(Limits.pieceBytes)

    /// Throws what a read there would lack. `isScattered`: the reader does not go on from where he was, so that parts
    /// of spans do; where they are needed they are the answer, to be given to `read`.
    public func requireReadable(at offset: Int64, count: Int, isScattered: Bool) throws(Obstacle) -> Glimpse? {
        guard offset >= 0 else { throw .errno(.invalid) }
        return try state.withLock { state throws(Obstacle) in
            let end = offset + min(Int64(count), max(0, state.size - offset))
            guard end > offset else { return nil }
            let range = offset..<end
            guard Self.spans(of: range).contains(where: { Self.isLacking($0, state) }) else { return nil }
            guard isScattered, range.count <= Self.scatteredBytesMax else {
                try Self.requirePresent(range, inode, state)
                return nil
            }
            return try glimpse(of: range, state)
        }
    }

    private func glimpse(of range: Range<Int64>, _ state: State) throws(Obstacle) -> Glimpse? {
        var parts: [(offset: Int64, bytes: [UInt8])] = []
        var lacking: Range<Int>?
        for piece in Self.pieces(of: range) {
            let span = piece / Piece.countInSpan
            guard Self.isLacking(span, state) else { continue }
            if let bytes = state.glimpses[piece] {
                parts.append((Int64(piece) * Int64(Limits.pieceBytes), bytes))
                continue
            }
            let ofSpan = span * Piece.countInSpan..<(span + 1) * Piece.countInSpan
            // What is to be checked is here, and what is owed cannot be had.
            guard state.spans[span] == .absent, !state.owed.contains(span), !state.filling.contains(span),
                ofSpan.count(where: { state.glimpses[$0] != nil }) < Self.glimpsesOfSpanMax
            else {
                try Self.requirePresent(range, inode, state)
                continue
            }
            lacking = (lacking?.lowerBound ?? piece)..<piece + 1
        }
        if let lacking { throw .needs(.pieces(inode, lacking)) }
        return parts.isEmpty ? nil : Glimpse(revision: state.revision, parts: parts)
    }

    private enum Piece {
        static let countInSpan = Limits.spanBytes / Limits.pieceBytes
    }

    static func pieces(of range: Range<Int64>) -> Range<Int> {
        let piece = Int64(Limits.pieceBytes)
        return Int(range.lowerBound / piece)..<Int((range.upperBound - 1) / piece) + 1
    }

    /// Whether the glimpse has all that the range lacks.
    static func hasAll(_ range: Range<Int64>, _ glimpse: Glimpse, _ state: State) -> Bool {
        guard glimpse.revision == state.revision else { return false }
        return pieces(of: range).allSatisfy { piece in
            !isLacking(piece / Piece.countInSpan, state)
                || glimpse.parts.contains { $0.offset == Int64(piece) * Int64(Limits.pieceBytes) }
        }
    }

    /// Where they lie in the file, and how much of them there is, for those of the pieces that are still lacking.
    func lackingPieces(_ pieces: Range<Int>, of revision: Revision) -> [(piece: Int, range: Range<Int64>)] {
        state.withLock { state in
            guard state.revision == revision else { return [] }
            return pieces.compactMap { piece in
                let start = Int64(piece) * Int64(Limits.pieceBytes)
                let end = min(start + Int64(Limits.pieceBytes), state.remoteSize)
                guard state.spans[piece / Piece.countInSpan] == .absent, state.glimpses[piece] == nil, start < end
                else { return nil }
                return (piece, start..<end)
            }
        }
    }

    /// Keeps a piece of an absent span. What is of an older content is not kept.
    func keep(_ bytes: [UInt8], asPiece piece: Int, of revision: Revision) -> Bool {
        state.withLock { state in
            guard state.revision == revision, state.spans[piece / Piece.countInSpan] == .absent else { return false }
            state.glimpses[piece] = bytes
            return true
        }
    }

    func forget(piece: Int) { state.withLock { $0.glimpses[piece] = nil } }
}

extension FileContent.State {
    /// The span is here now.
    mutating func dropGlimpses(of span: Int) {
        guard !glimpses.isEmpty else { return }
        let count = Limits.spanBytes / Limits.pieceBytes
        for piece in span * count..<(span + 1) * count { glimpses[piece] = nil }
    }
}
