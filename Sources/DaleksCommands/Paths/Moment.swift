import DaleksCore
import Glibc

/// What people write for a time that is past.
enum Moment {
    /// `2h` (ago), `2026-11-29` (its beginning), `2026-11-29 16:40`, `2026-11-29T16:40:05.25`: in this machine's time,
    /// or with a `Z` behind it in UTC. Nil where it is none of these.
    static func past(_ text: String, before now: Timestamp) -> Timestamp? {
        if let ago = Expiry.duration(text) { return now - ago }
        var text = text[...]
        let isUTC = text.hasSuffix("Z")
        if isUTC { text = text.dropLast() }
        let halves = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == " " || $0 == "T" }
        guard let date = numbers(halves[0], "-", [4, 2, 2]) else { return nil }
        var (clock, rest) = ([0, 0, 0], Duration.zero)
        if halves.count == 2 {
            let parts = halves[1].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard let read = numbers(parts[0], ":", [2, 2, 2]) ?? numbers(parts[0], ":", [2, 2]) else { return nil }
            clock = read + (read.count == 2 ? [0] : [])
            if parts.count == 2 {
                guard read.count == 3, let fraction = fraction(parts[1]) else { return nil }
                rest = fraction
            }
        }
        let utc = CivilTime.seconds(
            year: date[0],
            month: date[1],
            day: date[2],
            hour: clock[0],
            minute: clock[1],
            second: clock[2]
        )
        guard let utc else { return nil }
        if isUTC { return Timestamp(seconds: utc) + rest }
        var local = tm()
        (local.tm_year, local.tm_mon, local.tm_mday) = (Int32(date[0] - 1_900), Int32(date[1] - 1), Int32(date[2]))
        (local.tm_hour, local.tm_min, local.tm_sec) = (Int32(clock[0]), Int32(clock[1]), Int32(clock[2]))
        // Whether summer time is in force is looked up.
        local.tm_isdst = -1
        let seconds = mktime(&local)
        return seconds == -1 ? nil : Timestamp(seconds: Int64(seconds)) + rest
    }

    /// The digits behind the point, to the nanosecond.
    private static func fraction(_ text: Substring) -> Duration? {
        guard (1...9).contains(text.count), let digits = numbers(text, ".", [text.count])?.first else { return nil }
        return .nanoseconds((text.count..<9).reduce(Int64(digits)) { number, _ in number * 10 })
    }

    private static func numbers(_ text: Substring, _ separator: Character, _ widths: [Int]) -> [Int]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        guard parts.map(\.count) == widths else { return nil }
        let numbers = parts.compactMap { part in part.allSatisfy { $0.isASCII && $0.isNumber } ? Int(part) : nil }
        return numbers.count == widths.count ? numbers : nil
    }
}
