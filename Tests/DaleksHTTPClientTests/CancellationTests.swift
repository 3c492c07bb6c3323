import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksHTTPClient

/// How an exchange ends before its answer: by its caller, by time, by shutting down.
struct CancellationTests {
    private let client = HTTPClient.forTests()

    /// Takes requests and never answers.
    private func silent() throws -> RawServer { try RawServer { _, connection in connection.waitForEnd() } }

    /// Begins to answer and never ends.
    private func dripping(everyMilliseconds pause: Int) throws -> RawServer {
        try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while connection.send("x") { usleepMilliseconds(pause) }
            connection.close()
        }
    }

    @Test func `an exchange is canceled in mid-transfer from any thread`() throws {
        let server = try dripping(everyMilliseconds: 1)
        let (collected, results) = (Collected(), Results())
        let sink = ClientRequest.Sink.stream { buffer in
            collected.append(buffer)
            return true
        }
        let exchange = client.start(ClientRequest(.get, server.url, sink: sink)) { results.add($0) }

        #expect(collected.wait(forBytes: 3))
        let threads = (0..<4).map { _ in Thread(name: "cancel") { exchange.cancel() } }
        for thread in threads { thread.join() }

        #expect(results.wait(for: 1))
        let count = collected.count
        exchange.cancel()
        usleepMilliseconds(20)
        #expect(results.all.map(\.error) == [.canceled])
        #expect(collected.count == count)
    }

    @Test func `an exchange is canceled while it waits its turn`() throws {
        let server = try silent()
        let client = HTTPClient.forTests { $0.connectionsPerHostMax = 1 }
        let (first, second) = (Results(), Results())
        let running = client.start(ClientRequest(.get, server.url)) { first.add($0) }
        let waiting = client.start(ClientRequest(.get, server.url)) { second.add($0) }

        waiting.cancel()

        #expect(second.wait(for: 1))
        #expect(second.all[0].error == .canceled)
        #expect(first.all.isEmpty)
        running.cancel()
        #expect(first.wait(for: 1))
    }

    @Test func `an exchange is canceled while it waits for its next attempt`() throws {
        let server = try RawServer { _, connection in connection.respond(503, "Retry-After: 20\r\n") }
        let results = Results()
        let exchange = client.start(
            ClientRequest(.get, server.url, retry: .idempotent(maxAttempts: 3))
        ) { results.add($0) }
        while server.counts.requests < 1 { usleepMilliseconds(1) }
        usleepMilliseconds(20)

        exchange.cancel()

        #expect(results.wait(for: 1))
        #expect(results.all[0].error == .canceled)
        #expect(server.counts.requests == 1)
    }

    @Test func `canceling a task cancels its exchange`() async throws {
        let server = try silent()
        let client = client
        let task = Task { () async -> HTTPClientError? in
            do throws(HTTPClientError) {
                _ = try await client.response(to: ClientRequest(.get, server.url))
                return nil
            } catch {
                return error
            }
        }
        while server.counts.requests < 1 { try await Task.sleep(for: .milliseconds(1)) }

        task.cancel()

        #expect(await task.value == .canceled)
    }

    @Test func `a task that is canceled already gets no answer`() async throws {
        let server = try silent()
        let client = client
        let task = Task { () async -> HTTPClientError? in
            withUnsafeCurrentTask { $0?.cancel() }
            do throws(HTTPClientError) {
                _ = try await client.response(to: ClientRequest(.get, server.url))
                return nil
            } catch {
                return error
            }
        }

        #expect(await task.value == .canceled)
    }

    @Test func `completion waits for a sink that is still running`() throws {
        let server = try dripping(everyMilliseconds: 1)
        let (entered, gate, results) = (Gate(), Gate(), Results())
        let sink = ClientRequest.Sink.stream { _ in
            entered.open()
            return gate.wait()
        }
        let exchange = client.start(ClientRequest(.get, server.url, sink: sink)) { results.add($0) }
        entered.wait()

        exchange.cancel()
        usleepMilliseconds(30)
        #expect(results.all.isEmpty)
        gate.open()

        #expect(results.wait(for: 1))
        #expect(results.all.map(\.error) == [.canceled])
    }

    @Test func `the deadline ends an exchange however alive it looks`() throws {
        let server = try dripping(everyMilliseconds: 5)
        let start = TimeSource.system.now

        let failure = client.failure(of: ClientRequest(.get, server.url, deadline: .milliseconds(150)))

        #expect(failure == .timedOut)
        let elapsed = TimeSource.system.now - start
        #expect(elapsed >= .milliseconds(150) && elapsed < .seconds(2))
    }

    @Test func `the deadline counts while an exchange waits its turn`() throws {
        let server = try silent()
        let client = HTTPClient.forTests { $0.connectionsPerHostMax = 1 }
        let running = client.start(ClientRequest(.get, server.url)) { _ in }

        #expect(client.failure(of: ClientRequest(.get, server.url, deadline: .milliseconds(50))) == .timedOut)

        running.cancel()
    }

    @Test func `a peer that falls silent is given up long before the deadline`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Le")
            connection.waitForEnd()
        }
        let start = TimeSource.system.now

        #expect(client.failure(of: ClientRequest(.get, server.url, idleTimeout: .milliseconds(100))) == .timedOut)

        let elapsed = TimeSource.system.now - start
        #expect(elapsed >= .milliseconds(100) && elapsed < .seconds(2))
    }

    @Test func `a peer that is slow but alive is not idle`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
            for _ in 0..<12 {
                usleepMilliseconds(25)
                connection.send("x")
            }
        }

        let response = try client.send(ClientRequest(.get, server.url, idleTimeout: .milliseconds(150)))

        #expect(response.body.count == 12)
    }

    @Test func `our own slowness is not the peer's silence`() throws {
        let server = try RawServer { request, connection in
            _ = connection.readBody(of: request)
            connection.respond(200)
        }
        let calls = Lock(0)
        let body = ClientRequest.Body.stream(count: 2) { buffer in
            if calls.withLock({ calls in
                calls += 1
                return calls == 2
            }) {
                usleepMilliseconds(400)
            }
            buffer.copyBytes(from: [1])
            return 1
        }

        let response = try client.send(ClientRequest(.put, server.url, body: body, idleTimeout: .milliseconds(100)))

        #expect(response.status == .ok)
    }

    @Test func `a sender that takes nothing is given up`() throws {
        let server = try RawServer { _, connection in connection.waitForSilence(milliseconds: 1_500) }
        let body = ClientRequest.Body.stream(count: 1 << 30) { buffer in buffer.count }

        let failure = client.failure(of: ClientRequest(.put, server.url, body: body, idleTimeout: .milliseconds(200)))

        #expect(failure == .timedOut)
    }

    @Test func `shutting down completes every exchange exactly once`() async throws {
        let (silent, dripping) = (try silent(), try dripping(everyMilliseconds: 1))
        let server = try RawServer { _, connection in connection.respond(503) }
        let client = HTTPClient.forTests {
            $0.connectionsPerHostMax = 4
            $0.retryDelayBase = .seconds(5)
        }
        let results = Results()
        for number in 0..<30 {
            let url = [silent.url, dripping.url, server.url][number % 3]
            let sink: ClientRequest.Sink = number % 2 == 0 ? .stream { _ in true } : .memory(max: 1_000_000)
            client.start(ClientRequest(.get, url, sink: sink, retry: .idempotent(maxAttempts: 9))) { results.add($0) }
        }
        let waiting = Task { try? await client.response(to: ClientRequest(.get, silent.url)) }
        while silent.counts.runningMax < 4 { try await Task.sleep(for: .milliseconds(1)) }

        client.shutdown()

        #expect(await waiting.value == nil)
        #expect(results.all.count == 30)
        #expect(results.all.allSatisfy { $0.error == .canceled || $0.status == 503 })
        #expect(client.failure(of: ClientRequest(.get, server.url)) == .canceled)
        client.start(ClientRequest(.get, server.url)) { results.add($0) }
        #expect(results.wait(for: 31))
        client.shutdown()
        usleepMilliseconds(20)
        #expect(results.all.count == 31)
    }

    @Test func `a client that is let go cancels what it left`() throws {
        let server = try silent()
        let results = Results()
        do {
            let client = HTTPClient.forTests()
            client.start(ClientRequest(.get, server.url)) { results.add($0) }
        }

        #expect(results.wait(for: 1))
        #expect(results.all[0].error == .canceled)
    }
}
