import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksHTTPClient

/// The test support's network, seen from a client that works.
struct FaultProxyTests {
    private let client = HTTPClient.forTests()
    private let server: RawServer
    private let proxy: FaultProxy

    init() throws {
        server = try RawServer { request, connection in
            let body = connection.readBody(of: request) ?? []
            guard request.target != "/" else {
                connection.respond(200, body: "\(body.count)")
                return
            }
            let count = Int(request.target.dropFirst()) ?? 0
            connection.respond(200, body: String(repeating: "x", count: count))
        }
        proxy = try FaultProxy(upstreamPort: server.port)
    }

    private func request(_ path: String = "/", deadline: Duration = .seconds(10)) -> ClientRequest {
        ClientRequest(
            .get,
            "http://127.0.0.1:\(proxy.port)\(path)",
            deadline: deadline,
            idleTimeout: .milliseconds(300)
        )
    }

    private func elapsed(_ body: () throws -> Void) rethrows -> Duration {
        let start = TimeSource.system.now
        try body()
        return TimeSource.system.now - start
    }

    @Test func `it passes bytes on and counts them`() throws {
        defer { proxy.stop() }

        let response = try client.send(request("/100000"))
        _ = try client.send(request("/100000"))

        #expect(response.body == [UInt8](repeating: UInt8(ascii: "x"), count: 100_000))
        let counters = proxy.counters
        #expect(counters.connections == 1)
        #expect(counters.bytesToClient > 200_000 && counters.bytesToClient < 201_000)
        #expect(counters.bytesToServer > 100 && counters.bytesToServer < 1_000)
    }

    @Test func `distance costs a round trip and no bandwidth`() throws {
        defer { proxy.stop() }
        _ = try client.send(request())
        proxy.setRoundTrip(.milliseconds(60))

        let small = try elapsed { for _ in 0..<3 { _ = try client.send(request()) } }
        let large = try elapsed { _ = try client.send(ClientRequest(.get, "http://127.0.0.1:\(proxy.port)/16000000")) }

        #expect(small >= .milliseconds(180) && small < .milliseconds(600))
        // In turns of the reads' 64 KiB it would take 15 seconds.
        #expect(large >= .milliseconds(60) && large < .seconds(3))
    }

    @Test func `bandwidth has a limit where one is set`() throws {
        defer { proxy.stop() }
        proxy.set { $0.toClient.bytesPerSecond = 1_000_000 }

        let time = try elapsed { _ = try client.send(request("/300000")) }

        #expect(time >= .milliseconds(280) && time < .seconds(2))
    }

    @Test func `a connection is reset after so many bytes`() throws {
        defer { proxy.stop() }
        proxy.set { $0.toClient.resetAfterBytes = 50_000 }

        guard case .transfer(let detail) = client.failure(of: request("/100000")) else {
            Issue.record("it arrived")
            return
        }
        #expect(detail.contains("reset"))
        #expect(proxy.counters.bytesToClient == 50_000)

        proxy.set { $0.toClient.resetAfterBytes = nil }
        #expect(try client.send(request("/100000")).body.count == 100_000)
    }

    @Test func `an answer is cut off with an orderly end`() throws {
        defer { proxy.stop() }
        proxy.set { $0.toClient.truncateAfterBytes = 50_000 }

        guard case .transfer(let detail) = client.failure(of: request("/100000")) else {
            Issue.record("it arrived")
            return
        }
        #expect(!detail.contains("reset"))
    }

    @Test func `one byte is corrupted`() throws {
        defer { proxy.stop() }
        proxy.set { $0.toClient.corruptedByte = 60_000 }

        let body = try client.send(request("/100000")).body

        #expect(body.filter { $0 != UInt8(ascii: "x") } == [UInt8(ascii: "x") ^ 0xff])
    }

    @Test func `a stall lasts until it is lifted`() throws {
        defer { proxy.stop() }
        proxy.set { $0.toClient.isStalled = true }
        #expect(client.failure(of: request()) == .timedOut)

        let results = Results()
        client.start(request()) { results.add($0) }
        usleepMilliseconds(50)
        #expect(results.all.isEmpty)
        proxy.set { $0.toClient.isStalled = false }

        #expect(results.wait(for: 1))
        #expect(results.all[0].status == 200)
    }

    @Test func `a black hole takes everything and answers nothing`() throws {
        defer { proxy.stop() }
        proxy.set { $0.isBlackhole = true }

        #expect(client.failure(of: request()) == .timedOut)
        #expect(server.counts.requests == 0)
    }

    @Test func `connecting is refused and then not`() throws {
        defer { proxy.stop() }
        proxy.setRefusing(true)

        guard case .couldNotConnect = client.failure(of: request()) else {
            Issue.record("somebody listens")
            return
        }
        proxy.setRefusing(false)
        #expect(try client.send(request()).status == .ok)
    }

    @Test func `stopping resets what is open`() throws {
        proxy.set { $0.toClient.isStalled = true }
        let results = Results()
        client.start(request()) { results.add($0) }
        while proxy.openConnectionCount < 1 { usleepMilliseconds(1) }

        proxy.stop()

        #expect(results.wait(for: 1))
        #expect(results.all[0].error != nil)
        #expect(proxy.openConnectionCount == 0)
    }
}
