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

    public init(_ time: Timestamp) { self.init(seconds: time.seconds) }

    /// Seconds since 1970, which reach further than nanoseconds do.
    public init(seconds: Int64) {
        let (days, rest) = seconds.floored(by: 86_400)
        let (dayNumber, secondOfDay) = (Int(days), Int(rest))
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

    /// Seconds since 1970 of a civil date, nil where there is no such date. Second 60, a leap second, is the first of
    /// the next minute.
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
        let midnight = Int64(days) * 86_400
        // The 31st of a shorter month has become a day of the next.
        let back = CivilTime(seconds: midnight)
        guard back.day == day, back.month == month else { return nil }
        return midnight + Int64(hour * 3_600 + minute * 60 + second)
    }
}
