/// A moment of the wall clock: nanoseconds since 1970-01-01 UTC. It may jump; measure durations with `Instant`.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Outside 1677…2262 the value sticks at the end it passed.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.nanoseconds = Int64(clamping: Int128(seconds) * 1_000_000_000 + Int128(nanoseconds))
    }

    /// Whole seconds, rounded towards the past, as `timespec` counts them.
    public var seconds: Int64 { nanoseconds.floored(by: 1_000_000_000).quotient }

    /// What `seconds` leaves, 0…999,999,999.
    public var nanosecondsOfSecond: Int64 { nanoseconds.floored(by: 1_000_000_000).remainder }

    public static let zero = Timestamp(nanoseconds: 0)

    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Sticks at the ends of time: a deadline for ever must not become one in the past.
    public static func + (time: Self, duration: Duration) -> Self {
        Timestamp(nanoseconds: time.nanoseconds.addingClamped(duration.nanoseconds))
    }
    public static func - (time: Self, duration: Duration) -> Self {
        Timestamp(nanoseconds: time.nanoseconds.subtractingClamped(duration.nanoseconds))
    }
    public static func - (left: Self, right: Self) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingClamped(right.nanoseconds))
    }
}

extension Timestamp {
    /// `2026-11-21T07:06:30Z`, with milliseconds where asked.
    public func rfc3339(milliseconds: Bool = false) -> String {
        let civil = CivilTime(self)
        var text = "\(pad(civil.year, 4))-\(pad(civil.month, 2))-\(pad(civil.day, 2))T"
        text += "\(pad(civil.hour, 2)):\(pad(civil.minute, 2)):\(pad(civil.second, 2))"
        if milliseconds { text += ".\(pad(Int(nanosecondsOfSecond / 1_000_000), 3))" }
        return text + "Z"
    }

    private func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
