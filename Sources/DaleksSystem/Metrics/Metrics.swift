public import DaleksCore

extension Limits {
    public enum Metrics {
        /// Series of one name. A label that somebody outside can choose would otherwise fill memory and the scraper's
        /// database; what is past this is counted in one series whose labels say `overflow`.
        public static let seriesPerNameMax = 200
        /// Names are written in the sources, so more of them is a mistake.
        public static let namesMax = 1_000
    }
}

/// The counters, gauges and histograms of a program, by name and labels, and their text for Prometheus.
///
/// Ask once for what a hot path counts and keep it: finding it takes a lock, counting takes an atomic addition.
///
/// ## Concurrency
/// `families` is guarded by its lock. What it holds is counted without it. Computed values are read with no lock held.
public final class Metrics: Sendable {
    public typealias Labels = KeyValuePairs<String, String>

    private let families = Lock<[String: MetricFamily]>([:])

    public init() {}

    /// Its name ends in `_total`.
    public func counter(_ name: String, help: String, labels: Labels = [:]) -> Counter {
        precondition(name.hasSuffix("_total"), "a counter's name ends in _total")
        let series = series(name, help, .counter, labels) { .counter(Counter()) }
        guard case .counter(let counter) = series else { Self.mismatch(name) }
        return counter
    }

    public func gauge(_ name: String, help: String, labels: Labels = [:]) -> Gauge {
        let series = series(name, help, .gauge, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = series else { Self.mismatch(name) }
        return gauge
    }

    /// The bounds are those of whoever asks first for the name.
    public func histogram(
        _ name: String,
        help: String,
        labels: Labels = [:],
        buckets: [Double] = Histogram.latencySeconds
    ) -> Histogram {
        precondition(!labels.contains { $0.key == "le" }, "the label le is the histogram's own")
        let series = series(name, help, .histogram, labels) { .histogram(Histogram(bounds: buckets)) }
        guard case .histogram(let histogram) = series else { Self.mismatch(name) }
        return histogram
    }

    /// A gauge that is read when somebody looks. Who asks last for the same name and labels is the one who is read.
    public func gauge(
        _ name: String,
        help: String,
        labels: Labels = [:],
        read: @escaping @Sendable () -> Double
    ) {
        replace(name, help, .gauge, labels, .computed(read))
    }

    /// A counter that somebody else keeps, such as the kernel.
    public func counter(
        _ name: String,
        help: String,
        labels: Labels = [:],
        read: @escaping @Sendable () -> Double
    ) {
        precondition(name.hasSuffix("_total"), "a counter's name ends in _total")
        replace(name, help, .counter, labels, .computed(read))
    }

    /// The media type of `prometheusText`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Everything, in the text exposition format 0.0.4, sorted so that two scrapes compare.
    public func prometheusText() -> String {
        let families = families.withLock { $0.values.sorted { $0.name < $1.name } }
        var text = PrometheusText()
        for family in families { text.add(family) }
        return text.text
    }

    private func series(
        _ name: String,
        _ help: String,
        _ kind: MetricFamily.Kind,
        _ labels: Labels,
        make: () -> MetricFamily.Series
    ) -> MetricFamily.Series {
        let key = MetricFamily.Key(labels)
        return families.withLock { families in
            Self.admit(name, help, kind, key, &families)
            return families[name, default: MetricFamily(name, help, kind, key)].series(key, make: make)
        }
    }

    private func replace(
        _ name: String,
        _ help: String,
        _ kind: MetricFamily.Kind,
        _ labels: Labels,
        _ series: MetricFamily.Series
    ) {
        let key = MetricFamily.Key(labels)
        families.withLock { families in
            Self.admit(name, help, kind, key, &families)
            families[name, default: MetricFamily(name, help, kind, key)].replace(key, with: series)
        }
    }

    private static func admit(
        _ name: String,
        _ help: String,
        _ kind: MetricFamily.Kind,
        _ key: MetricFamily.Key,
        _ families: inout [String: MetricFamily]
    ) {
        if let family = families[name] {
            precondition(
                family.kind == kind && family.labelNames == key.names,
                "a metric is asked for again with another kind or other labels"
            )
            return
        }
        precondition(families.count < Limits.Metrics.namesMax, "too many metric names")
        families[name] = MetricFamily(name, help, kind, key)
    }

    private static func mismatch(_ name: String) -> Never {
        preconditionFailure("\(name) is computed, so that nobody can count it")
    }
}
