import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct MetricsTests {
    @Test func `asking again finds the same series`() {
        let metrics = Metrics()
        metrics.counter("a_total", help: "A.", labels: ["x": "1", "y": "2"]).increment()
        metrics.counter("a_total", help: "A.", labels: ["y": "2", "x": "1"]).increment(by: 4)
        metrics.counter("a_total", help: "A.", labels: ["x": "2", "y": "2"]).increment()
        #expect(metrics.counter("a_total", help: "A.", labels: ["x": "1", "y": "2"]).value == 5)
    }

    @Test func `the text is what Prometheus reads`() {
        let metrics = Metrics()
        metrics.counter("b_total", help: "Line\nwith \\.", labels: ["path": "a\"b\\c\nd"]).increment(by: 3)
        metrics.gauge("a_bytes", help: "Size.").set(1.5)
        metrics.gauge("c_bytes", help: "Read.") { -.infinity }
        let histogram = metrics.histogram("d_seconds", help: "Time.", labels: ["route": "x"], buckets: [0.1, 1, 4_096])
        for value in [0.05, 0.1, 0.5, 4_096, 5_000, -1, .nan] { histogram.observe(value) }
        histogram.observe(.milliseconds(250))
        #expect(
            metrics.prometheusText() == """
                # HELP a_bytes Size.
                # TYPE a_bytes gauge
                a_bytes 1.5
                # HELP b_total Line\\nwith \\\\.
                # TYPE b_total counter
                b_total{path="a\\"b\\\\c\\nd"} 3
                # HELP c_bytes Read.
                # TYPE c_bytes gauge
                c_bytes -Inf
                # HELP d_seconds Time.
                # TYPE d_seconds histogram
                d_seconds_bucket{route="x",le="0.1"} 3
                d_seconds_bucket{route="x",le="1"} 5
                d_seconds_bucket{route="x",le="4096"} 6
                d_seconds_bucket{route="x",le="+Inf"} 7
                d_seconds_sum{route="x"} 9095.9
                d_seconds_count{route="x"} 7

                """
        )
    }

    @Test(.needs(.program("promtool", package: "prometheus")))
    func `promtool accepts all of it`() throws {
        let metrics = Metrics()
        metrics.addProcess()
        metrics.counter(
            "daleks_requests_total",
            help: "Requests.",
            labels: ["route": "/v1/\"odd\"\\\n", "code": "200"]
        )
        .increment()
        metrics.gauge("daleks_connections", help: "Open connections.").set(Double.nan)
        metrics.histogram("daleks_request_seconds", help: "Time of a request.", labels: ["route": "é"]).observe(0.2)
        metrics.histogram("daleks_reply_bytes", help: "Size of a reply.", buckets: Histogram.sizeBytes).observe(1e300)
        for number in 0..<Limits.Metrics.seriesPerNameMax * 2 {
            metrics.counter("daleks_many_total", help: "Many.", labels: ["n": "\(number)"]).increment()
        }
        let text = metrics.prometheusText()
        let result = try Subprocess.capture(
            Command("promtool", ["check", "metrics"], input: .bytes(Array(text.utf8))),
            timeout: .seconds(30)
        )
        #expect(result.ending == .exited(0), "\(result.outputText)\(result.errorText)")
        #expect(result.outputText.isEmpty && result.errorText.isEmpty)
    }

    @Test(.needs(.program("promtool", package: "prometheus")))
    func `promtool would have refused a broken text`() throws {
        let result = try Subprocess.capture(
            Command("promtool", ["check", "metrics"], input: .bytes(Array("a{b=c} 1\n".utf8))),
            timeout: .seconds(30)
        )
        #expect(!result.ending.isSuccess)
    }

    @Test func `labels that somebody else chooses cannot fill memory`() {
        let metrics = Metrics()
        let count = Limits.Metrics.seriesPerNameMax * 5
        for number in 0..<count {
            metrics.counter("a_total", help: "A.", labels: ["who": "\(number)"]).increment()
        }
        let lines = metrics.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.count == Limits.Metrics.seriesPerNameMax)
        #expect(lines.contains("a_total{who=\"overflow\"} \(count - Limits.Metrics.seriesPerNameMax + 1)"))
        // A series that was there before is still itself.
        #expect(metrics.counter("a_total", help: "A.", labels: ["who": "7"]).value == 1)
    }

    @Test func `many threads count everything`() {
        let metrics = Metrics()
        let threads = (0..<4).map { number in
            Thread(name: "count-\(number)") {
                let counter = metrics.counter("a_total", help: "A.")
                let gauge = metrics.gauge("b", help: "B.")
                let histogram = metrics.histogram("c_seconds", help: "C.", buckets: [1, 2])
                for round in 0..<10_000 {
                    counter.increment()
                    gauge.increment()
                    gauge.add(0.5)
                    gauge.decrement()
                    histogram.observe(Double(round % 3))
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(metrics.counter("a_total", help: "A.").value == 40_000)
        #expect(metrics.gauge("b", help: "B.").value == 20_000)
        let text = metrics.prometheusText()
        #expect(text.contains("c_seconds_count 40000\n") && text.contains("c_seconds_sum 39996\n"))
    }

    @Test func `a text written while others count is consistent in itself`() {
        let metrics = Metrics()
        let histogram = metrics.histogram("a_seconds", help: "A.", buckets: [1, 2])
        let stop = Gate()
        let counting = Thread(name: "counting") { while !stop.isOpen { histogram.observe(1.5) } }
        for _ in 0..<200 {
            let lines = metrics.prometheusText().split(separator: "\n")
            let last = lines.first { $0.contains("+Inf") }?.split(separator: " ").last
            #expect(last != nil && last == lines.last?.split(separator: " ").last)
        }
        stop.open()
        counting.join()
    }

    @Test func `who asks last for a computed value is the one who is read`() {
        let metrics = Metrics()
        metrics.gauge("a", help: "A.") { 1 }
        metrics.gauge("a", help: "A.") { 2 }
        // Reading one may ask for another: no lock is held meanwhile.
        metrics.gauge("b", help: "B.") { [weak metrics] in metrics?.gauge("c", help: "C.").value ?? .nan }
        #expect(metrics.prometheusText().contains("\na 2\n"))
    }

    @Test func `the process tells what it uses`() throws {
        let metrics = Metrics()
        metrics.addProcess()
        let values = metrics.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        for name in [
            "process_start_time_seconds", "process_resident_memory_bytes", "process_virtual_memory_bytes",
            "process_open_fds", "process_threads", "process_cpu_seconds_total",
        ] {
            let line = try #require(values.first { $0.hasPrefix("\(name) ") })
            #expect((Double(line.split(separator: " ")[1]) ?? 0) > 0, "\(line)")
        }
    }

    @Test func `mistakes in the sources stop the program`() async {
        await #expect(processExitsWith: .failure) { _ = Metrics().counter("requests", help: "No suffix.") }
        await #expect(processExitsWith: .failure) { _ = Metrics().gauge("1st", help: "Bad name.") }
        await #expect(processExitsWith: .failure) { _ = Metrics().gauge("a", help: "Bad label.", labels: ["a-b": ""]) }
        await #expect(processExitsWith: .failure) { _ = Metrics().histogram("a", help: "Own.", labels: ["le": ""]) }
        await #expect(processExitsWith: .failure) { _ = Metrics().histogram("a", help: "Order.", buckets: [2, 1]) }
        await #expect(processExitsWith: .failure) {
            let metrics = Metrics()
            _ = metrics.gauge("a", help: "A.")
            _ = metrics.histogram("a", help: "A.")
        }
    }
}
