import DaleksAPI
import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc

enum MetricsVerb: Verb {
    static let name = "metrics"
    static let about = "Prints what the mount counts and measures, in the text format of Prometheus."
    static let options: [Option] = []

    static let examples: KeyValuePairs = [
        "daleks metrics > /var/lib/prometheus/node-exporter/daleks.prom": "for a collector that reads files"
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let text = try call.metrics().text
        call.answer(String(text.dropLast(text.hasSuffix("\n") ? 1 : 0)), JSONObject([("metrics", .string(text))]))
    }
}

enum TopVerb: Verb {
    static let name = "top"
    static let about = "Shows what the mount does now: operations, how long they take, and what goes over the line."
    static let options = [
        Option("interval", .duration, default: "2s", help: "How long to look before each picture."),
        Option("once", .flag, help: "One picture, and the end; so it is where the output is no terminal."),
    ]

    static let examples: KeyValuePairs = [
        "daleks top": "until Ctrl-C",
        "daleks top --once --interval 10s": "the next ten seconds",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let interval: Duration
        do throws(SettingsError) { interval = try call.settings.duration("interval") } catch {
            throw .usage(error.message)
        }
        guard interval >= .milliseconds(100) else { throw .usage("--interval must be at least 100ms") }
        let isOnce = call.settings.flag("once") || call.settings.flag("json") || !call.console.isShown
        var before = try call.metrics()
        while true {
            Gate().wait(timeout: interval)
            let now = try call.metrics()
            let picture = Picture(from: before, to: now)
            if isOnce {
                call.answer(picture.text, picture.object)
                return
            }
            // Home, the picture, and nothing below it: no flicker.
            call.console.say("\u{1B}[H\u{1B}[2J" + picture.text)
            before = now
        }
    }
}

extension Call {
    fileprivate func metrics() throws(CommandFailure) -> Sample {
        let answer = try control(ControlRequest(.metrics))
        guard let text = answer.metrics else {
            throw .failed("the daemon is older than this command and measures nothing; mount again to renew it")
        }
        return Sample(answer: answer, text: text, taken: TimeSource.system.now)
    }
}

/// What the daemon had counted at one moment.
private struct Sample {
    let answer: ControlAnswer
    let text: String
    let taken: Instant
    /// By the series' whole name, labels and all.
    let values: [String: Double]

    init(answer: ControlAnswer, text: String, taken: Instant) {
        (self.answer, self.text, self.taken) = (answer, text, taken)
        var values: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                continue
            }
            values[String(line[..<space])] = value
        }
        self.values = values
    }
}

/// What happened between two moments.
private struct Picture {
    /// One kind of a histogram's measurements.
    struct Row {
        var name: String
        var count: Double
        var meanSeconds: Double
        /// A bound that 99 of 100 stayed below; infinite where they did not stay below any.
        var mostSeconds: Double
    }

    let answer: ControlAnswer
    let seconds: Double
    let operations: [Row]
    let requests: [Row]
    let waits: Double
    let bytesUp: Double
    let bytesDown: Double
    private let before: Sample
    private let after: Sample

    init(from before: Sample, to after: Sample) {
        (self.before, self.after, answer) = (before, after, after.answer)
        seconds = max(0.001, Double((after.taken - before.taken).nanoseconds) / 1e9)
        func rise(_ series: String) -> Double { (after.values[series] ?? 0) - (before.values[series] ?? 0) }
        operations = Self.rows("daleks_mount_operation_seconds", "operation", after, rise)
        requests = Self.rows("daleks_region_request_seconds", "request", after, rise)
        waits = rise("daleks_mount_wait_seconds_count{for=\"bytes\"}")
        bytesUp = rise("daleks_region_bytes_total{direction=\"up\"}")
        bytesDown = rise("daleks_region_bytes_total{direction=\"down\"}")
    }

    private static func rows(
        _ name: String,
        _ label: String,
        _ after: Sample,
        _ rise: (String) -> Double
    ) -> [Row] {
        let head = "\(name)_count{\(label)=\""
        var rows: [Row] = []
        for series in after.values.keys where series.hasPrefix(head) {
            let kind = String(series.dropFirst(head.count).dropLast(2))
            let count = rise(series)
            guard count > 0 else { continue }
            let buckets = "\(name)_bucket{\(label)=\"\(kind)\",le=\""
            let bounds = after.values.keys.filter { $0.hasPrefix(buckets) }.compactMap { series in
                Double(series.dropFirst(buckets.count).dropLast(2)).map { (bound: $0, rise: rise(series)) }
            }
            let most = bounds.filter { $0.rise >= 0.99 * count }.map(\.bound).min() ?? .infinity
            let mean = rise("\(name)_sum{\(label)=\"\(kind)\"}") / count
            rows.append(Row(name: kind, count: count, meanSeconds: mean, mostSeconds: most))
        }
        return rows.sorted { ($0.count, $1.name) > ($1.count, $0.name) }
    }

    /// Of what was read, how much was here.
    private var hits: String? {
        guard let reads = operations.first(where: { $0.name == "read" })?.count, reads > 0 else { return nil }
        return "\(Int64(max(0, (1 - waits / reads) * 100).rounded(.down)))% of what was read was here."
    }

    var text: String {
        let state =
            answer.isLoggedOut
            ? "log-in ended: run `daleks login`"
            : answer.isPaused ? "paused" : answer.isConnected ? "connected" : "the region does not answer"
        var lines = ["\(answer.mountPoint): \(answer.email), region \(answer.region), \(state)", ""]
        lines += table("operation", operations, nothing: "Nobody asks for anything.")
        lines.append("")
        lines += table("request", requests, nothing: "Nothing is asked of the region.")
        lines.append("")
        let (up, down) = (Shown.bytes(Int64(bytesUp / seconds)), Shown.bytes(Int64(bytesDown / seconds)))
        lines.append("\(up)/s up, \(down)/s down. " + (hits ?? "Nothing was read."))
        lines.append(
            answer.pendingCount == 0
                ? "Everything is at the region."
                : "\(answer.pendingCount) changes (\(Shown.bytes(answer.pendingBytes))) are not at the region yet."
        )
        let (used, most) = (Shown.bytes(answer.cacheBytes), Shown.bytes(answer.cacheBytesMax))
        lines.append("The cache holds \(used) of \(most) at most.")
        return lines.joined(separator: "\n")
    }

    private func table(_ title: String, _ rows: [Row], nothing: String) -> [String] {
        guard !rows.isEmpty else { return [nothing] }
        func line(_ cells: [String]) -> String {
            Self.left(cells[0], 16) + cells.dropFirst().map { Self.right($0, 14) }.joined()
        }
        return [line([title, "a second", "mean", "99 of 100"])]
            + rows.prefix(12).map { row in
                line([
                    row.name, Self.rate(row.count / seconds), Self.time(row.meanSeconds),
                    row.mostSeconds == .infinity ? "longer" : "<= " + Self.time(row.mostSeconds),
                ])
            }
    }

    private static func rate(_ value: Double) -> String {
        value >= 10 ? "\(Int64(value.rounded()))" : tenths(value)
    }

    private static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<0.001: "\(Int64((seconds * 1e6).rounded())) us"
        case ..<1: tenths(seconds * 1e3) + " ms"
        default: tenths(seconds) + " s"
        }
    }

    private static func tenths(_ value: Double) -> String {
        let count = Int64((value * 10).rounded())
        return "\(count / 10).\(count % 10)"
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.utf8.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.utf8.count)) + text
    }

    var object: JSONObject {
        func list(_ rows: [Row]) -> JSONValue {
            .array(
                rows.map { row in
                    .object(
                        JSONObject([
                            ("name", .string(row.name)), ("per_second", .double(row.count / seconds)),
                            ("mean_seconds", .double(row.meanSeconds)),
                            // Null where 99 of 100 did not stay below any bound.
                            ("p99_seconds", row.mostSeconds == .infinity ? .null : .double(row.mostSeconds)),
                        ])
                    )
                }
            )
        }
        return JSONObject([
            ("mount_point", .string(answer.mountPoint)), ("connected", .bool(answer.isConnected)),
            ("seconds", .double(seconds)), ("operations", list(operations)), ("requests", list(requests)),
            ("reads_waiting", .double(waits)), ("bytes_up_per_second", .double(bytesUp / seconds)),
            ("bytes_down_per_second", .double(bytesDown / seconds)), ("pending", .integer(answer.pendingCount)),
            ("pending_bytes", .integer(answer.pendingBytes)), ("cache_bytes", .integer(answer.cacheBytes)),
        ])
    }
}
