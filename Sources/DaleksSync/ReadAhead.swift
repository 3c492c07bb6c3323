import DaleksCore

/// Recognises readers that go through a file from front to back, two of them at once, and says what to fetch before
/// they ask. The window grows while it is of use. Who begins anywhere but at the front reads a little here and there,
/// until he goes on from there.
public struct ReadAhead: Sendable {
    private struct Stream {
        var next: Int64
        var window: Int
        /// Spans before this one were asked for.
        var until: Int
        /// Somebody has gone on from where he was.
        var isGoing = false

        func isContinued(at offset: Int64) -> Bool {
            isGoing
                ? abs(next - offset) <= ReadAhead.tolerance
                : offset >= next && offset - next <= ReadAhead.firstTolerance
        }
    }

    private static let streamCountMax = 2

    /// The most that one reader has fetched ahead: what a line of a gigabit holds for a tenth of a second, and as much
    /// again while half of it is being read.
    private static let windowMax = 24

    /// How fast it grows. A second's worth of a long line is many spans: three steps must do.
    private static let growth = 4

    /// The kernel reads ahead itself, with several requests that overtake each other.
    fileprivate static let tolerance: Int64 = 2 << 20

    /// Before it does, the next request is the next one: what lies further off is somewhere else.
    fileprivate static let firstTolerance: Int64 = 256 << 10

    /// The one used last stands last.
    private var streams: [Stream] = []

    public init() {}

    /// A read happened: which spans to fetch ahead, or nil, and whether it was one here and there.
    public mutating func note(_ offset: Int64, count: Int, size: Int64) -> (ahead: Range<Int>?, isScattered: Bool) {
        let end = offset + Int64(count)
        guard let index = streams.lastIndex(where: { $0.isContinued(at: offset) }) else {
            if streams.count == Self.streamCountMax { streams.removeFirst() }
            // Of what is read here and there the span is not asked for.
            let isScattered = offset > 0
            streams.append(Stream(next: end, window: 1, until: Self.span(offset) + (isScattered ? 0 : 1)))
            return (nil, isScattered)
        }
        var stream = streams.remove(at: index)
        stream.next = max(stream.next, end)
        stream.isGoing = true
        defer { streams.append(stream) }
        return (ahead(&stream, size), false)
    }

    private func ahead(_ stream: inout Stream, _ size: Int64) -> Range<Int>? {
        // Asked for again when half of it was used: then the rest is on its way while the reader goes on.
        let current = Self.span(stream.next)
        guard current + (stream.window + 1) / 2 >= stream.until else { return nil }
        stream.window = min(stream.window * Self.growth, Self.windowMax)
        let last = Int((size + Int64(Limits.spanBytes) - 1) / Int64(Limits.spanBytes))
        // The file may have been cut since, and end before the reader.
        let first = max(stream.until, current)
        let wanted = first..<max(first, min(current + 1 + stream.window, last))
        stream.until = max(stream.until, wanted.upperBound)
        return wanted.isEmpty ? nil : wanted
    }

    private static func span(_ offset: Int64) -> Int { Int(offset / Int64(Limits.spanBytes)) }
}
