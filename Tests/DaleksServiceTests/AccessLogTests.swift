import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksHTTPServer
@testable import DaleksService

struct AccessLogTests {
    private let written = Lock<[UInt8]>([])
    private let metrics = Metrics()

    private func log(_ extent: AccessLog.Extent, delayedBy gate: Gate? = nil) -> AccessLog {
        AccessLog(extent, metrics: metrics) { [written] lines in
            gate?.wait()
            let copy = Array(lines)
            written.withLock { $0 += copy }
        }
    }

    private func request(status: Int = 200, isComplete: Bool = true, principal: String? = nil) -> ServedRequest {
        ServedRequest(
            requestID: "r1",
            method: "GET",
            pattern: "/v1/nodes/:id",
            status: status,
            bytes: 12,
            receivedBytes: 34,
            isComplete: isComplete,
            duration: .microseconds(1_234),
            client: .loopback,
            principal: principal
        )
    }

    private var lines: [JSONReader] {
        String(decoding: written.withLock { $0 }, as: UTF8.self).split(separator: "\n").compactMap { line in
            (try? JSONValue.parse(String(line))).map { JSONReader($0) }
        }
    }

    @Test func `a request is one line of JSON with its facts`() throws {
        let log = log(.all)

        log.record(request(principal: "somebody"))
        log.record(request(status: 0, isComplete: false))
        log.stop()

        let lines = lines
        #expect(lines.count == 2)
        let first = try #require(lines.first)
        #expect(try first.string("request.id") == "r1" && first.string("route") == "/v1/nodes/:id")
        #expect(try first.integer("status") == 200 && first.integer("bytes") == 12)
        #expect(try first.double("milliseconds") == 1.234 && first.string("client") == "127.0.0.1")
        #expect(try first.string("principal") == "somebody" && first.string("level") == "info")
        #expect(try lines[1].bool("cut") && lines[1].optionalString("principal") == nil)
    }

    @Test func `of failures it keeps those, and off is off`() {
        let (failures, off) = (log(.failures), log(.off))

        for log in [failures, off] {
            for status in [200, 404, 503] { log.record(request(status: status)) }
            log.record(request(isComplete: false))
            log.stop()
        }

        #expect(lines.map { (try? $0.integer("status")) ?? 0 } == [503, 200])
    }

    @Test func `a reader that stands still delays no request: lines are dropped and counted`() {
        let gate = Gate()
        let log = log(.all, delayedBy: gate)
        let count = Limits.Service.accessLogBytesMax / 150

        // Waited one of them for the reader, this would never come to its end.
        for _ in 0..<count { log.record(request()) }
        gate.open()
        log.stop()

        let dropped = metrics.counter("daleks_access_log_dropped_total", help: "").value
        #expect(dropped > 0 && lines.count == count - dropped)
    }
}
