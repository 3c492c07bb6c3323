/// A moment of the monotonic clock: it never goes back, means nothing in another boot, and counts time asleep.
public struct Instant: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Sticks at the ends of time: a deadline for ever must not become one in the past.
    public static func + (time: Self, duration: Duration) -> Self {
        Instant(nanoseconds: time.nanoseconds.addingClamped(duration.nanoseconds))
    }
    public static func - (time: Self, duration: Duration) -> Self {
        Instant(nanoseconds: time.nanoseconds.subtractingClamped(duration.nanoseconds))
    }
    public static func - (left: Self, right: Self) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingClamped(right.nanoseconds))
    }
}
