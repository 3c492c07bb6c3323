public import DaleksCore

/// Dates as header fields carry them (RFC 9110, 5.6.7).
public enum HTTPDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    public static func text(_ time: Timestamp) -> String {
        let civil = CivilTime(time)
        let date =
            "\(weekdays[civil.weekday]), \(padded(civil.day)) \(months[civil.month - 1]) \(padded(civil.year, 4))"
        return "\(date) \(padded(civil.hour)):\(padded(civil.minute)):\(padded(civil.second)) GMT"
    }

    /// Reads the form above and the two old ones, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
    public static func parse(_ text: String) -> Timestamp? {
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" }.map(String.init)
        switch words.count {
        case 6 where words[5] == "GMT":
            guard var year = number(words[3]) else { return nil }
            // A year of two digits is the nearest that is not far ahead; such texts come from old programs only.
            if words[3].utf8.count == 2 { year += year < 70 ? 2_000 : 1_900 }
            return time(day: words[1], month: words[2], year: year, clock: words[4])
        case 5:
            guard let year = number(words[4]) else { return nil }
            return time(day: words[2], month: words[1], year: year, clock: words[3])
        default:
            return nil
        }
    }

    private static func time(day: String, month: String, year: Int, clock: String) -> Timestamp? {
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map { number(String($0)) }
        guard parts.count == 3, let hour = parts[0], let minute = parts[1], let second = parts[2],
            let day = number(day), let month = months.firstIndex(of: month)
        else { return nil }
        let seconds = CivilTime.seconds(
            year: year,
            month: month + 1,
            day: day,
            hour: hour,
            minute: minute,
            second: second
        )
        return seconds.map { Timestamp(seconds: $0) }
    }

    private static func number(_ text: String) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    private static func padded(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
