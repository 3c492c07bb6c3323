import DaleksCore
import DaleksSystem

/// How long to wait before asking an unreachable region again: doubling, with jitter, for ever.
struct Retry {
    private static let first: Duration = .milliseconds(200)
    private let last: Duration
    private var ceiling = Self.first

    init(upTo last: Duration = .seconds(30)) { self.last = last }

    mutating func next() -> Duration {
        defer { ceiling = min(ceiling * 2, last) }
        // Full jitter: many clients that lost the same region must not come back together.
        let share = Double(Random.word() >> 11) / Double(1 << 53)
        return .nanoseconds(Int64(Double(ceiling.nanoseconds) * (0.5 + share / 2)))
    }

    mutating func reset() { ceiling = Self.first }
}
