/// How often a measurement fell below each of some fixed bounds.
///
/// ## Concurrency
/// One atomic addition for the bucket and one for the sum; any thread, any time. A reader may see the one before the
/// other, so the count it reports is always the sum of the buckets it saw.
public final class Histogram: Sendable {
    /// From half a millisecond, which the local database takes, to half a minute, where requests end.
    public static let latencySeconds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]

    /// From a small reply to the largest span a few times over.
    public static let sizeBytes = [256.0, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216]

    /// Upper bounds, each including its own value. What is above the last falls into one bucket more.
    let bounds: [Double]
    private let counts: [Counter]
    private let total = AtomicNumber()

    init(bounds: [Double]) {
        let isAscending = zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }
        precondition(isAscending && bounds.allSatisfy(\.isFinite), "a histogram's bounds are finite and ascend")
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in Counter() }
    }

    /// What is not a number is not counted.
    public func observe(_ value: Double) {
        if value.isNaN { return }
        counts[bucket(of: value)].increment()
        total.add(value)
    }

    /// In seconds.
    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(Double(seconds) + Double(attoseconds) / 1e18)
    }

    /// How many were in each bucket alone, and their sum.
    var snapshot: (counts: [Int], sum: Double) { (counts.map(\.value), total.load()) }

    private func bucket(of value: Double) -> Int {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
