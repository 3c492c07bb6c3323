import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksHTTPClient

/// What is tried again, how often, and what never is.
struct RetryTests {
    private let client = HTTPClient.forTests()

    /// Refuses so many times before it says yes.
    private func refusing(_ count: Int, _ status: Int, _ fields: String = "") throws -> RawServer {
        let refused = Lock(0)
        return try RawServer { request, connection in
            _ = connection.readBody(of: request)
            let isRefused = refused.withLock { refused -> Bool in
                refused += 1
                return refused <= count
            }
            if isRefused { connection.respond(status, fields) } else { connection.respond(200, body: "yes") }
        }
    }

    @Test(arguments: [429, 502, 503, 504])
    func `an answer that says not now is followed by another attempt`(status: Int) throws {
        let server = try refusing(2, status)

        let response = try client.send(ClientRequest(.get, server.url, retry: .idempotent(maxAttempts: 5)))

        #expect(response.status == .ok)
        #expect(response.attempts == 3)
        #expect(server.counts.requests == 3)
    }

    @Test func `the last answer comes back when the attempts are used up`() throws {
        let server = try refusing(100, 503)

        let response = try client.send(ClientRequest(.get, server.url, retry: .idempotent(maxAttempts: 4)))

        #expect(response.status == .serviceUnavailable)
        #expect(response.attempts == 4)
        #expect(server.counts.requests == 4)
    }

    @Test(arguments: [400, 401, 403, 404, 409, 500, 501])
    func `any other answer is final`(status: Int) throws {
        let server = try refusing(1, status)

        let response = try client.send(ClientRequest(.get, server.url, retry: .idempotent(maxAttempts: 4)))

        #expect(response.status.code == status)
        #expect(server.counts.requests == 1)
    }

    @Test func `without a policy nothing is tried again`() throws {
        let server = try refusing(1, 503)

        #expect(try client.send(ClientRequest(.get, server.url)).status == .serviceUnavailable)
        #expect(server.counts.requests == 1)
    }

    @Test func `a POST is tried again only when it says that it may be`() throws {
        let server = try refusing(1, 503)
        var request = ClientRequest(.post, server.url, body: .bytes([1, 2, 3]), retry: .idempotent(maxAttempts: 4))

        #expect(try client.send(request).status == .serviceUnavailable)

        let other = try refusing(1, 503)
        request.url = other.url
        request.isIdempotent = true
        #expect(try client.send(request).status == .ok)
        #expect(other.counts.requests == 2)
    }

    @Test func `Retry-After is waited for`() throws {
        let server = try refusing(1, 429, "Retry-After: 1\r\n")
        let start = TimeSource.system.now

        let response = try client.send(ClientRequest(.get, server.url, retry: .idempotent(maxAttempts: 2)))

        #expect(response.status == .ok)
        #expect(TimeSource.system.now - start >= .seconds(1))
    }

    @Test(arguments: ["61", "Sun, 06 Nov 2094 08:49:37 GMT"])
    func `a Retry-After past the bound is the caller's to decide`(text: String) throws {
        let server = try refusing(1, 503, "Retry-After: \(text)\r\n")

        let response = try client.send(
            ClientRequest(.get, server.url, deadline: .seconds(600), retry: .idempotent(maxAttempts: 2))
        )

        #expect(response.status == .serviceUnavailable)
        #expect(response.fields["Retry-After"] == text)
    }

    @Test func `a retry that the deadline would cut off is not waited for`() throws {
        let server = try refusing(1, 503, "Retry-After: 30\r\n")
        let start = TimeSource.system.now

        let response = try client.send(
            ClientRequest(.get, server.url, deadline: .seconds(5), retry: .idempotent(maxAttempts: 2))
        )

        #expect(response.status == .serviceUnavailable)
        #expect(TimeSource.system.now - start < .seconds(4))
    }

    @Test func `what broke off is tried again with its whole body`() throws {
        let broken = Lock(0)
        let bytes = [UInt8](repeating: 7, count: 300_000)
        let server = try RawServer { request, connection in
            let isBroken = broken.withLock { broken -> Bool in
                broken += 1
                return broken <= 2
            }
            if isBroken {
                _ = connection.discard(count: 1_000)
                connection.reset()
            } else {
                connection.respond(200, body: connection.readBody(of: request) == bytes ? "whole" : "torn")
            }
        }

        let response = try client.send(
            ClientRequest(.put, server.url, body: .bytes(bytes), retry: .idempotent(maxAttempts: 5))
        )

        #expect(String(decoding: response.body, as: UTF8.self) == "whole")
        #expect(response.attempts == 3)
    }

    @Test func `a service that comes up later is reached`() throws {
        let server = try refusing(0, 200)
        let proxy = try FaultProxy(upstreamPort: server.port)
        defer { proxy.stop() }
        proxy.setRefusing(true)
        let results = Results()

        client.start(
            ClientRequest(.get, "http://127.0.0.1:\(proxy.port)/", retry: .idempotent(maxAttempts: 16))
        ) { results.add($0) }
        usleepMilliseconds(60)
        proxy.setRefusing(false)

        #expect(results.wait(for: 1))
        #expect(results.all[0].status == 200)
    }

    @Test func `what a sink has heard is not told twice`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            connection.close()
        }
        let collected = Collected()
        let sink = ClientRequest.Sink.stream { buffer in
            collected.append(buffer)
            return true
        }

        let failure = client.failure(
            of: ClientRequest(.get, server.url, sink: sink, retry: .idempotent(maxAttempts: 4))
        )

        #expect(failure != nil)
        #expect(server.counts.requests == 1)
        #expect(collected.bytes == Array("hello".utf8))
    }

    @Test func `a body that was pulled is not sent again`() throws {
        let server = try refusing(1, 503)
        let body = ClientRequest.Body.stream(count: 4) { buffer in
            buffer.copyBytes(from: [1, 2, 3, 4])
            return 4
        }

        let response = try client.send(
            ClientRequest(.put, server.url, body: body, retry: .idempotent(maxAttempts: 4))
        )

        #expect(response.status == .serviceUnavailable)
        #expect(server.counts.requests == 1)
    }

    /// Answers the first request of each connection, and closes at the second without a word.
    private func forgetful() throws -> RawServer {
        try RawServer { request, connection in
            _ = connection.readBody(of: request)
            if request.earlierCount > 0 { connection.close() } else { connection.respond(200) }
        }
    }

    @Test(arguments: [0, 10, 100_000])
    func `a dead pooled connection is no failure of what may be repeated`(count: Int) throws {
        let server = try forgetful()
        let body = count == 0 ? ClientRequest.Body.empty : .bytes([UInt8](repeating: 1, count: count))
        _ = try client.send(ClientRequest(.get, server.url))

        let response = try client.send(ClientRequest(.put, server.url, body: body))

        #expect(response.status == .ok)
        #expect(response.attempts == 1)
        #expect(server.counts.connections == 2)
    }

    @Test func `a file goes out again after a dead pooled connection`() throws {
        let server = try forgetful()
        let file = FileSource(try FileDescriptor.open("/proc/self/exe", 0))
        _ = try client.send(ClientRequest(.get, server.url))

        let response = try client.send(ClientRequest(.put, server.url, body: .file(file, offset: 0, count: 500_000)))

        #expect(response.status == .ok)
    }

    @Test(arguments: [0, 10, 100_000])
    func `what must not be repeated is never sent twice`(count: Int) throws {
        let posts = Lock(0)
        let server = try RawServer { request, connection in
            _ = connection.readBody(of: request)
            if request.method == "POST" { posts.withLock { $0 += 1 } }
            if request.earlierCount > 0 { connection.close() } else { connection.respond(200) }
        }
        let body = count == 0 ? ClientRequest.Body.empty : .bytes([UInt8](repeating: 1, count: count))
        _ = try client.send(ClientRequest(.get, server.url))

        let failure = client.failure(
            of: ClientRequest(.post, server.url, body: body, retry: .idempotent(maxAttempts: 4))
        )

        #expect(posts.withLock { $0 } == 1)
        // Without a body it has a connection of its own and gets its answer.
        #expect((failure == nil) == (count == 0))
    }
}
