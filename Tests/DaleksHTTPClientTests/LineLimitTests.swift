import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksHTTPClient

/// Limits of what goes over the line, with real bytes over real sockets.
struct LineLimitTests {
    private static let mebibyte = 1 << 20
    private let up = LineLimit()
    private let down = LineLimit()
    private let client: HTTPClient
    private let server: RawServer

    init() throws {
        let line = LineLimits(up: up, down: down)
        client = HTTPClient.forTests { $0.line = line }
        server = try RawServer { request, connection in
            let count = request.field("Content-Length").flatMap { Int($0) } ?? 0
            let discarded = connection.discard(count: count)
            let wanted = Int(request.target.dropFirst()) ?? 0
            connection.respond(
                200,
                body: request.method == "PUT" ? "\(discarded)" : String(repeating: "x", count: wanted)
            )
        }
    }

    private func upload(_ count: Int, deadline: Duration = .seconds(10)) -> ClientRequest {
        var request = ClientRequest(.put, "\(server.url)/", body: .bytes([UInt8](repeating: 7, count: count)))
        request.deadline = deadline
        request.load = .upload
        return request
    }

    private func download(_ count: Int, deadline: Duration = .seconds(10)) -> ClientRequest {
        var request = ClientRequest(.get, "\(server.url)/\(count)")
        request.deadline = deadline
        request.load = .download
        return request
    }

    /// All at once; how long until the last was answered.
    private func time(_ requests: [ClientRequest]) -> Duration {
        let began = TimeSource.system.now
        let left = Condition(requests.count)
        for request in requests {
            client.start(request) { result in
                if case .failure(let error) = result { Issue.record("\(error)") }
                left.withLock { $0 -= 1 }
                left.broadcast()
            }
        }
        _ = left.wait(timeout: .seconds(60)) { $0 == 0 ? true : nil }
        return TimeSource.system.now - began
    }

    /// Within a fifth of what the rate says, whoever shares it. It is never faster; a machine that is busy elsewhere
    /// may be slower twice.
    private func expect(_ bytes: Int, at rate: Int64, _ transfer: () -> Duration) {
        var measured: [Double] = []
        for _ in 0..<3 {
            let speed = Double(bytes) / (Double(transfer().nanoseconds) / 1e9) / Double(rate)
            measured.append(speed)
            if speed > 0.8 { break }
        }
        #expect(measured.allSatisfy { $0 < 1.2 } && measured.contains { $0 > 0.8 }, "\(measured) of the rate")
    }

    @Test(arguments: [1, 3, 8]) func `what is sent keeps to its rate, by one request or by many`(count: Int) {
        up.bytesPerSecond = 6 << 20
        let each = 6 * Self.mebibyte / count

        // Each alone would be over in time; waiting for the line counts for nobody.
        expect(each * count, at: 6 << 20) { time((0..<count).map { _ in upload(each, deadline: .seconds(1)) }) }
    }

    @Test(arguments: [1, 8]) func `what is received keeps to its rate`(count: Int) {
        down.bytesPerSecond = 6 << 20
        let each = 6 * Self.mebibyte / count

        expect(each * count, at: 6 << 20) { time((0..<count).map { _ in download(each, deadline: .seconds(1)) }) }
    }

    @Test func `two clients share one line`() {
        up.bytesPerSecond = 6 << 20
        let line = LineLimits(up: up, down: down)
        let other = HTTPClient.forTests { $0.line = line }
        let request = upload(3 * Self.mebibyte)

        expect(6 * Self.mebibyte, at: 6 << 20) {
            let began = TimeSource.system.now
            let second = Thread(name: "other") { _ = try? other.send(request) }
            _ = time([request])
            second.join()
            return TimeSource.system.now - began
        }
    }

    @Test func `what is small goes ahead of what is large`() throws {
        up.bytesPerSecond = 1 << 20
        let busy = Condition(0)
        for _ in 0..<6 {
            client.start(upload(Self.mebibyte, deadline: .seconds(30))) { _ in busy.withLock { $0 += 1 } }
        }

        var slowest = Duration.zero
        for number in 0..<20 {
            var small = upload(number.isMultiple(of: 2) ? 3_000 : 12_000)
            small.load = .light
            let began = TimeSource.system.now
            _ = try client.send(small)
            slowest = max(slowest, TimeSource.system.now - began)
        }

        #expect(slowest < .milliseconds(500))
        #expect(busy.withLock { $0 } < 6, "the large ones were over before the small ones were tried")
        up.bytesPerSecond = nil
        #expect(eventually(within: .seconds(10)) { busy.withLock { $0 } == 6 })
    }

    @Test func `a rate that changes holds for what is under way, and so does its end`() {
        up.bytesPerSecond = 64 << 10
        let done = Condition(0)
        let began = TimeSource.system.now
        for _ in 0..<4 { client.start(upload(Self.mebibyte, deadline: .seconds(2))) { _ in done.withLock { $0 += 1 } } }
        Gate().wait(timeout: .milliseconds(500))
        #expect(done.withLock { $0 } == 0)

        up.bytesPerSecond = nil

        #expect(eventually(within: .seconds(5)) { done.withLock { $0 } == 4 })
        #expect(TimeSource.system.now - began < .seconds(2))
    }

    @Test func `what is frozen stands still and goes on, what is small still goes, and the end waits for nobody`()
        throws
    {
        up.bytesPerSecond = 4 << 20
        let done = Condition(0)
        for _ in 0..<2 { client.start(upload(Self.mebibyte)) { _ in done.withLock { $0 += 1 } } }
        Gate().wait(timeout: .milliseconds(100))
        up.freeze(true)
        Gate().wait(timeout: .milliseconds(700))
        #expect(done.withLock { $0 } == 0)
        var small = upload(3_000)
        small.load = .light
        #expect(try client.send(small).status.isSuccess)
        up.freeze(false)
        #expect(eventually(within: .seconds(10)) { done.withLock { $0 } == 2 })

        up.bytesPerSecond = 64 << 10
        let ended = Condition<[HTTPClientError]>([])
        for _ in 0..<3 {
            client.start(upload(Self.mebibyte)) { result in
                if case .failure(let error) = result { ended.withLock { $0.append(error) } }
            }
        }
        let began = TimeSource.system.now
        client.shutdown()
        #expect(ended.withLock { $0 } == [.canceled, .canceled, .canceled])
        #expect(TimeSource.system.now - began < .seconds(1))
    }
}
