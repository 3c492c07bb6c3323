import DaleksCore

/// Recognises readers that go through a file from front to back, two of them at once, and says what to fetch before
/// they ask. The window doubles while it is of use.
public struct ReadAhead: Sendable {
    private struct Stream {
        var next: Int64
        var window: Int
        /// Spans before this one were asked for.
        var until: Int
    }

    private static let streamCountMax = 2

    /// The most that one reader has fetched ahead: 16 MiB.
    private static let windowMax = 16

    /// The kernel reads ahead itself, with several requests that overtake each other.
    private static let tolerance: Int64 = 2 << 20

    /// The one used last stands last.
    private var streams: [Stream] = []

    public init() {}

    /// A read happened: which spans to fetch ahead, or nil.
    public mutating func note(_ offset: Int64, count: Int, size: Int64) -> Range<Int>? {
        let end = offset + Int64(count)
        guard let index = streams.lastIndex(where: { abs($0.next - offset) <= Self.tolerance }) else {
            if streams.count == Self.streamCountMax { streams.removeFirst() }
            streams.append(Stream(next: end, window: 1, until: Self.span(offset) + 1))
            return nil
        }
        var stream = streams.remove(at: index)
        stream.next = max(stream.next, end)
        defer { streams.append(stream) }
        // Asked for again when half of it was used: then the rest is on its way while the reader goes on.
        let current = Self.span(stream.next)
        guard current + (stream.window + 1) / 2 >= stream.until else { return nil }
        stream.window = min(stream.window * 2, Self.windowMax)
        let last = Int((size + Int64(Limits.spanBytes) - 1) / Int64(Limits.spanBytes))
        // The file may have been cut since, and end before the reader.
        let first = max(stream.until, current)
        let wanted = first..<max(first, min(current + 1 + stream.window, last))
        stream.until = max(stream.until, wanted.upperBound)
        return wanted.isEmpty ? nil : wanted
    }

    private static func span(_ offset: Int64) -> Int { Int(offset / Int64(Limits.spanBytes)) }
}
