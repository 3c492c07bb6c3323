/// Writes metrics as Prometheus reads them (text exposition format 0.0.4).
struct PrometheusText {
    private(set) var text = ""

    mutating func add(_ family: MetricFamily) {
        text += "# HELP \(family.name) \(Self.escapedHelp(family.help))\n"
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
        let sorted = family.series.sorted { $0.key.values.lexicographicallyPrecedes($1.key.values) }
        for (key, series) in sorted {
            let labels = zip(key.names, key.values).map { "\($0)=\"\(Self.escapedLabel($1))\"" }
            switch series {
            case .counter(let counter): addLine(family.name, labels, "\(counter.value)")
            case .gauge(let gauge): addLine(family.name, labels, Self.number(gauge.value))
            case .computed(let read): addLine(family.name, labels, Self.number(read()))
            case .histogram(let histogram): add(histogram, family.name, labels)
            }
        }
    }

    private mutating func add(_ histogram: Histogram, _ name: String, _ labels: [String]) {
        let (counts, sum) = histogram.snapshot
        var total = 0
        for (position, count) in counts.enumerated() {
            total += count
            let bound = position < histogram.bounds.count ? histogram.bounds[position] : .infinity
            addLine("\(name)_bucket", labels + ["le=\"\(Self.number(bound))\""], "\(total)")
        }
        addLine("\(name)_sum", labels, Self.number(sum))
        addLine("\(name)_count", labels, "\(total)")
    }

    private mutating func addLine(_ name: String, _ labels: [String], _ value: String) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels.joined(separator: ","))} \(value)\n"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        // 4096 and not 4096.0: bounds and bytes read as they were written.
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func escapedHelp(_ help: String) -> String {
        help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    private static func escapedLabel(_ value: String) -> String {
        escapedHelp(value).replacing("\"", with: "\\\"")
    }
}
