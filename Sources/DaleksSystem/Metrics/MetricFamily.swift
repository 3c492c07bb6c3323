import DaleksCore

/// All series of one name.
struct MetricFamily: Sendable {
    enum Kind: String, Sendable { case counter, gauge, histogram }

    enum Series: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case computed(@Sendable () -> Double)
    }

    /// Labels in the order of their names, so that every spelling of a set finds the same series.
    struct Key: Hashable, Sendable {
        let names: [String]
        var values: [String]

        init(_ labels: Metrics.Labels) {
            let sorted = labels.sorted { $0.key < $1.key }
            names = sorted.map(\.key)
            values = sorted.map(\.value)
            precondition(names.allSatisfy(MetricFamily.isLabelName), "a label's name is a-z, 0-9 and underscores")
            precondition(Set(names).count == names.count, "a label stands twice")
        }

        /// The same names, each saying that the set grew too large.
        var overflowing: Key {
            var key = self
            key.values = names.map { _ in "overflow" }
            return key
        }
    }

    let name: String
    let help: String
    let kind: Kind
    let labelNames: [String]
    private(set) var series: [Key: Series] = [:]

    init(_ name: String, _ help: String, _ kind: Kind, _ key: Key) {
        precondition(Self.isMetricName(name), "a metric's name is a-z, 0-9, colons and underscores")
        precondition(!help.isEmpty, "a metric says what it is")
        self.name = name
        self.help = help
        self.kind = kind
        labelNames = key.names
    }

    mutating func series(_ key: Key, make: () -> Series) -> Series {
        let key = admitted(key)
        if let known = series[key] { return known }
        let made = make()
        series[key] = made
        return made
    }

    mutating func replace(_ key: Key, with new: Series) { series[admitted(key)] = new }

    private func admitted(_ key: Key) -> Key {
        // The last place is the overflow's own.
        series[key] != nil || series.count < Limits.Metrics.seriesPerNameMax - 1 ? key : key.overflowing
    }

    private static func isMetricName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !isDigit(first) else { return false }
        return name.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: ":") }
    }

    private static func isLabelName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !isDigit(first), !name.hasPrefix("__") else { return false }
        return name.utf8.allSatisfy(isWordByte)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || isDigit(byte) || byte == UInt8(ascii: "_")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
