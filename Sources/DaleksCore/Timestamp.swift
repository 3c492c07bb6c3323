/// A moment of the wall clock: nanoseconds since 1970-01-01 UTC. It may jump; measure durations with `Instant`.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Outside 1677…2262 the value sticks at the end it passed.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowAgain) = product.addingReportingOverflow(nanoseconds)
        self.nanoseconds = overflow || overflowAgain ? (seconds < 0 ? .min : .max) : sum
    }

    /// Whole seconds, rounded towards the past, as `timespec` counts them.
    public var seconds: Int64 {
        nanoseconds >= 0 ? nanoseconds / 1_000_000_000 : (nanoseconds - 999_999_999) / 1_000_000_000
    }

    /// What `seconds` leaves, 0…999,999,999.
    public var nanosecondsOfSecond: Int64 {
        let remainder = nanoseconds % 1_000_000_000
        return remainder >= 0 ? remainder : remainder + 1_000_000_000
    }

    public static let zero = Timestamp(nanoseconds: 0)

    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
    public static func + (time: Self, duration: Duration) -> Self {
        Timestamp(nanoseconds: time.nanoseconds &+ duration.nanoseconds)
    }
    public static func - (time: Self, duration: Duration) -> Self {
        Timestamp(nanoseconds: time.nanoseconds &- duration.nanoseconds)
    }
    public static func - (left: Self, right: Self) -> Duration {
        .nanoseconds(left.nanoseconds &- right.nanoseconds)
    }
}

/// A moment of the monotonic clock: it never goes back, means nothing in another boot, and counts time asleep.
public struct Instant: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
    public static func + (time: Self, duration: Duration) -> Self {
        Instant(nanoseconds: time.nanoseconds &+ duration.nanoseconds)
    }
    public static func - (left: Self, right: Self) -> Duration {
        .nanoseconds(left.nanoseconds &- right.nanoseconds)
    }
}

extension Duration {
    /// Nanoseconds, clamped to what 64 bits hold (292 years).
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return product &+ attoseconds / 1_000_000_000
    }

    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
    public var inSeconds: Double { Double(nanoseconds) / 1e9 }
}

/// A date of the civil calendar in UTC, for texts (RFC 3339, RFC 9110) that this project writes and reads itself.
public struct CivilTime: Equatable, Sendable {
    public var year: Int
    public var month: Int
    public var day: Int
    public var hour: Int
    public var minute: Int
    public var second: Int
    /// 0 is Sunday.
    public let weekday: Int

    public init(_ time: Timestamp) {
        let seconds = time.seconds
        let dayNumber = Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
        let secondOfDay = Int(seconds) - dayNumber * 86_400
        (hour, minute, second) = (secondOfDay / 3_600, secondOfDay / 60 % 60, secondOfDay % 60)
        weekday = ((dayNumber + 4) % 7 + 7) % 7

        // Days are counted from 1 March of year 0, so that the leap day ends a year and 400 years are one cycle.
        let shifted = dayNumber + 719_468
        let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle =
            (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
    }

    /// Seconds since 1970 of a civil date, nil where a field is out of range.
    public static func seconds(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) -> Int64? {
        guard (0...9_999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let cycle = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfCycle = shiftedYear - cycle * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        let days = cycle * 146_097 + dayOfCycle - 719_468
        let result = Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
        let back = CivilTime(Timestamp(seconds: result))
        return back.day == day && back.month == month || second == 60 ? result : nil
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
