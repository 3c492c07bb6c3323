/// How values are spelt in flags, environment variables and files.
enum SettingsValue {
    static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    /// Whole numbers with units, largest first, each once: `1h30m`. A bare `0` needs no unit.
    static func duration(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        // Nanoseconds of each unit, in the order in which they may follow each other.
        let units: [(name: String, nanoseconds: Int64)] = [
            ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
            ("ms", 1_000_000), ("us", 1_000),
        ]
        var total: Int64 = 0
        var smallestSeen = -1
        var rest = Substring(text)
        while !rest.isEmpty {
            let (digits, unit) = leadingNumber(&rest)
            guard let number = Int64(digits), let position = units.firstIndex(where: { $0.name == unit }),
                position > smallestSeen
            else { return nil }
            smallestSeen = position
            let (product, overflow) = number.multipliedReportingOverflow(by: units[position].nanoseconds)
            let (sum, overflowAgain) = total.addingReportingOverflow(product)
            guard !overflow, !overflowAgain else { return nil }
            total = sum
        }
        return text.isEmpty ? nil : .nanoseconds(total)
    }

    /// A whole number of bytes; K, M, G, T and KiB… count by 1,024, KB… by 1,000, in any case.
    static func bytes(_ text: String) -> Int64? {
        var rest = Substring(text)
        let (digits, unit) = leadingNumber(&rest)
        guard rest.isEmpty, let number = Int64(digits), let factor = byteFactor(unit.lowercased()) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    private static func byteFactor(_ unit: String) -> Int64? {
        switch unit {
        case "", "b": 1
        case "k", "kib": 1 << 10
        case "m", "mib": 1 << 20
        case "g", "gib": 1 << 30
        case "t", "tib": 1 << 40
        case "kb": 1_000
        case "mb": 1_000_000
        case "gb": 1_000_000_000
        case "tb": 1_000_000_000_000
        default: nil
        }
    }

    /// Takes ASCII digits and then what is no digit off the front.
    private static func leadingNumber(_ rest: inout Substring) -> (digits: Substring, unit: Substring) {
        let digits = rest.prefix(while: isDigit)
        let unit = rest.dropFirst(digits.count).prefix { !isDigit($0) }
        rest = rest.dropFirst(digits.count + unit.count)
        return (digits, unit)
    }

    private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }
}
