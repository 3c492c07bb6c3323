import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksHTTPClient

/// Bodies that are never held whole, in both directions.
struct StreamingTests {
    private let client = HTTPClient.forTests()

    private static let sample = Array("0123456789abcdef".utf8)

    private func echo() throws -> RawServer {
        try RawServer { request, connection in
            let body = connection.readBody(of: request) ?? []
            let framing = request.field("Transfer-Encoding") ?? request.field("Content-Length") ?? "none"
            connection.respond(200, "X-Framing: \(framing)\r\n", body: String(decoding: body, as: UTF8.self))
        }
    }

    /// Gives pieces of so many bytes until all are given.
    private func pull(
        _ bytes: [UInt8],
        by count: Int
    ) -> @Sendable (UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let position = Lock(0)
        return { buffer in
            let start = position.withLock { position -> Int in
                defer { position = min(bytes.count, position + min(count, buffer.count)) }
                return position
            }
            let piece = bytes[start..<min(bytes.count, start + min(count, buffer.count))]
            buffer.copyBytes(from: piece)
            return piece.count
        }
    }

    @Test(arguments: [1, 3, 16, 100])
    func `a body pulled with its size known is sent with a length`(by count: Int) throws {
        let server = try echo()

        let response = try client.send(
            ClientRequest(.put, server.url, body: .stream(count: 16, pull: pull(Self.sample, by: count)))
        )

        #expect(response.body == Self.sample)
        #expect(response.fields["X-Framing"] == "16")
    }

    @Test func `a body pulled with its size unknown goes out in chunks`() throws {
        let server = try echo()

        let response = try client.send(
            ClientRequest(.post, server.url, body: .stream(count: nil, pull: pull(Self.sample, by: 5)))
        )

        #expect(response.body == Self.sample)
        #expect(response.fields["X-Framing"] == "chunked")
    }

    @Test func `an empty body can be pulled too`() throws {
        let server = try echo()

        for count in [nil, 0] as [Int64?] {
            let response = try client.send(
                ClientRequest(.post, server.url, body: .stream(count: count, pull: pull([], by: 5)))
            )
            #expect(response.body.isEmpty)
        }
    }

    @Test func `more than was announced is never pulled`() throws {
        let server = try echo()

        let response = try client.send(
            ClientRequest(.put, server.url, body: .stream(count: 10, pull: pull(Self.sample, by: 7)))
        )

        #expect(response.body == Array(Self.sample[..<10]))
    }

    @Test func `a body that ends too soon is an error`() throws {
        let server = try echo()
        let request = ClientRequest(.put, server.url, body: .stream(count: 20, pull: pull(Self.sample, by: 7)))

        #expect(client.failure(of: request) == .transfer(detail: "the body ended after 16 of 20 bytes"))
    }

    @Test func `an error of the source ends the exchange with it`() throws {
        let server = try echo()
        let request = ClientRequest(
            .put,
            server.url,
            body: .stream(count: 20) { (_) throws(Errno) in throw Errno.io }
        )

        #expect(client.failure(of: request) == .local(.io))
    }

    @Test func `a range of a file is sent`() throws {
        let server = try echo()
        let file = try temporaryFile(Array(repeating: Self.sample, count: 100_000).flatMap { $0 })

        let response = try client.send(ClientRequest(.put, server.url, body: .file(file, offset: 3, count: 1_000_000)))

        #expect(response.body.count == 1_000_000)
        #expect(response.body.prefix(16) == Self.sample[3...] + Self.sample[..<3])
    }

    @Test func `a file shorter than its range is an error`() throws {
        let server = try echo()
        let file = try temporaryFile(Self.sample)
        let request = ClientRequest(.put, server.url, body: .file(file, offset: 10, count: 10))

        #expect(client.failure(of: request) == .transfer(detail: "the body ended after 6 of 10 bytes"))
    }

    @Test func `a sink hears the head, then every byte in order`() async throws {
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 >> 8) }
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 206 Partial\r\nContent-Length: \(bytes.count)\r\n\r\n")
            connection.send(bytes)
        }
        let (collected, heads) = (Collected(), Lock<[Int]>([]))
        var request = ClientRequest(.get, server.url)
        request.onHead = { status, _ in
            heads.withLock { $0.append(status.code) }
            return collected.count == 0
        }
        request.sink = .stream { buffer in
            collected.append(buffer)
            return true
        }

        // On the pool's threads, and on the thread that waits.
        for round in 1...2 {
            let response = round == 1 ? try await client.response(to: request) : try sendBlocking(request)
            #expect(response.body.isEmpty)
            #expect(collected.bytes == bytes)
            #expect(heads.withLock { $0 } == Array(repeating: 206, count: round))
            collected.clear()
        }
    }

    private func sendBlocking(_ request: ClientRequest) throws -> ClientResponse { try client.send(request) }

    @Test func `the head of an empty answer is told as well`() throws {
        let server = try RawServer { _, connection in connection.send("HTTP/1.1 204 None\r\n\r\n") }
        let heads = Lock(0)
        var request = ClientRequest(.get, server.url, sink: .stream { _ in false })
        request.onHead = { _, _ in
            heads.withLock { $0 += 1 }
            return true
        }

        #expect(try client.send(request).status == .noContent)
        #expect(heads.withLock { $0 } == 1)
    }

    @Test func `what a refusal says is in the answer and not in the sink`() throws {
        let server = try RawServer { _, connection in
            connection.respond(404, body: String(repeating: "no ", count: 100_000))
        }
        let collected = Collected()
        let sink = ClientRequest.Sink.stream { buffer in
            collected.append(buffer)
            return true
        }

        let response = try client.send(ClientRequest(.get, server.url, sink: sink))

        #expect(response.status == .notFound)
        #expect(response.body.count == Limits.HTTPClient.refusalBytesMax)
        #expect(collected.count == 0)
    }

    @Test func `a sink that has enough stops the exchange`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while connection.send([UInt8](repeating: 1, count: 65_536)) {}
            connection.close()
        }
        let calls = Lock(0)
        let sink = ClientRequest.Sink.stream { _ in
            calls.withLock { calls in
                calls += 1
                return calls < 3
            }
        }

        #expect(client.failure(of: ClientRequest(.get, server.url, sink: sink)) == .stopped)
        #expect(calls.withLock { $0 } == 3)
    }

    @Test func `an error of the sink ends the exchange with it`() throws {
        let server = try RawServer { _, connection in connection.respond(200, body: "hello") }
        let sink = ClientRequest.Sink.stream { (_) throws(Errno) in throw Errno.noSpace }

        #expect(client.failure(of: ClientRequest(.get, server.url, sink: sink)) == .local(.noSpace))
    }

    @Test func `a sink that blocks makes the peer wait and nobody else`() async throws {
        let sentBytes = Lock(0)
        let server = try RawServer { request, connection in
            guard request.target == "/large" else {
                connection.respond(200)
                return
            }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
            for _ in 0..<(64 << 4) {
                guard connection.send([UInt8](repeating: 1, count: 1 << 16)) else { break }
                sentBytes.withLock { $0 += 1 << 16 }
            }
        }
        let (gate, results, collected) = (Gate(), Results(), Lock(0))
        let sink = ClientRequest.Sink.stream { buffer in
            gate.wait()
            collected.withLock { $0 += buffer.count }
            return true
        }

        client.start(ClientRequest(.get, server.url + "/large", sink: sink)) { results.add($0) }
        usleep(200_000)
        let sentWhileBlocked = sentBytes.withLock { $0 }
        for _ in 0..<20 { _ = try await client.response(to: ClientRequest(.get, server.url, deadline: .seconds(1))) }
        gate.open()

        // What fits into the kernel's buffers and ours.
        #expect(sentWhileBlocked < 32 << 20)
        #expect(results.wait(for: 1))
        #expect(results.all[0].status == 200)
        #expect(collected.withLock { $0 } == 64 << 20)
    }

    @Test func `a source that blocks holds nobody else up`() throws {
        let server = try echo()
        let (gate, results) = (Gate(), Results())
        let inner = pull(Self.sample, by: 4)
        let body = ClientRequest.Body.stream(count: 16) { (buffer) throws(Errno) in
            gate.wait()
            return try inner(buffer)
        }

        client.start(ClientRequest(.put, server.url, body: body)) { results.add($0) }
        for _ in 0..<20 { _ = try client.send(ClientRequest(.get, server.url, deadline: .seconds(1))) }
        #expect(results.all.isEmpty)
        gate.open()

        #expect(results.wait(for: 1))
        #expect((try results.all.first?.get())?.body == Self.sample)
    }

    @Test func `a refusal in the middle of an upload is an answer`() throws {
        let server = try RawServer { request, connection in
            _ = connection.discard(count: 100_000)
            connection.send("HTTP/1.1 413 Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            // Reads on, so that the answer is not lost to a reset.
            _ = connection.discard(count: 64 << 20)
            connection.close()
        }
        let body = ClientRequest.Body.stream(count: 64 << 20) { buffer in buffer.count }

        let response = try client.send(ClientRequest(.put, server.url, body: body))

        #expect(response.status == .contentTooLarge)
        #expect(response.body == Array("big".utf8))
    }

    private func temporaryFile(_ bytes: [UInt8]) throws -> FileSource {
        let descriptor = try FileDescriptor.open("/tmp", O_RDWR | unnamedFile, mode: 0o600)
        try descriptor.writeAll(bytes)
        return FileSource(descriptor)
    }
}

/// `O_TMPFILE`, which this C library's module hides: a file without a name.
let unnamedFile: Int32 = 0o20_200_000
