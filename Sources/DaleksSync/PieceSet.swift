import DaleksCore

/// Which of a span's sixteen pieces.
struct PieceSet: Hashable, Sendable {
    private(set) var bits: UInt16 = 0

    var count: Int { bits.nonzeroBitCount }

    /// In order.
    var indexes: [Int] { (0..<16).filter { bits & 1 << UInt16($0) != 0 } }

    mutating func insert(_ range: ClosedRange<Int>) {
        for index in range { bits |= 1 << UInt16(index) }
    }
}

extension FileContent.State {
    /// Bytes of the range changed.
    mutating func notePieces(_ range: Range<Int64>) {
        let (span, piece) = (Int64(Limits.spanBytes), Int64(Limits.pieceBytes))
        for index in FileContent.spans(of: range) where pieces[index] != nil {
            let start = Int64(index) * span
            let first = max(range.lowerBound, start) - start
            let last = min(range.upperBound, start + span) - 1 - start
            pieces[index]?.insert(Int(first / piece)...Int(last / piece))
        }
    }
}
