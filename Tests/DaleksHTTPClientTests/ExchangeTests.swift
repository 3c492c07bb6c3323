import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksHTTPClient

/// One request, one answer, against a server that writes raw bytes.
struct ExchangeTests {
    private let client = HTTPClient.forTests()

    @Test func `a GET brings status, fields and body`() throws {
        let server = try RawServer { request, connection in
            connection.respond(200, "X-Target: \(request.target)\r\nX-Two: a\r\nX-Two: b\r\n", body: "hello")
        }

        let response = try client.send(ClientRequest(.get, server.url + "/a/../b?x=%20y"))

        #expect(response.status == .ok)
        #expect(response.body == Array("hello".utf8))
        #expect(response.fields["x-target"] == "/a/../b?x=%20y")
        #expect(response.fields.values("X-Two") == ["a", "b"])
        #expect(response.attempts == 1)
    }

    @Test func `the request carries what was asked and nothing that was not`() throws {
        let server = try RawServer { request, connection in
            let names = request.fields.map { $0.name.lowercased() }.sorted().joined(separator: " ")
            connection.respond(200, "X-Empty: \(request.field("X-Empty") ?? "none")\r\n", body: names)
        }

        let response = try client.send(
            ClientRequest(.get, server.url, fields: ["X-Mine": "1", "X-Empty": "", "Authorization": "Bearer t"])
        )

        #expect(String(decoding: response.body, as: UTF8.self) == "accept authorization host user-agent x-empty x-mine")
        #expect(response.fields["X-Empty"] == "")
    }

    @Test(arguments: [HTTPMethod.post, .put, .patch, .delete], [0, 1, 5_000, 3 << 20])
    func `a body from memory arrives whole`(method: HTTPMethod, count: Int) throws {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for position in 0..<count { buffer[position] = UInt8(truncatingIfNeeded: position &* 7) }
            initialized = count
        }
        let server = try RawServer { request, connection in
            let isWhole = connection.readBody(of: request) == bytes
            let (expect, type) = (request.field("Expect") ?? "none", request.field("Content-Type") ?? "none")
            connection.respond(200, body: "\(request.method) \(expect) \(type) \(isWhole)")
        }

        let response = try client.send(ClientRequest(method, server.url, body: count == 0 ? .empty : .bytes(bytes)))

        #expect(String(decoding: response.body, as: UTF8.self) == "\(method) none none true")
    }

    @Test func `HEAD has no body whatever length the answer names`() throws {
        let server = try RawServer { _, connection in connection.send("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        }

        let response = try client.send(ClientRequest(.head, server.url))

        #expect(response.body.isEmpty)
        #expect(response.fields["Content-Length"] == "999")
    }

    @Test func `chunks are joined, interim answers are skipped and trailers are not fields`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Head: 1\r\n\r\n")
            connection.send("5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n")
        }

        let response = try client.send(ClientRequest(.get, server.url))

        #expect(String(decoding: response.body, as: UTF8.self) == "hello world")
        #expect(response.fields["Link"] == nil)
        #expect(response.fields["X-Head"] == "1")
        #expect(response.fields["X-Trailer"] == nil)
    }

    @Test func `a body without a length ends with its connection`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.0 200 OK\r\n\r\nall of it")
            connection.close()
        }

        let response = try client.send(ClientRequest(.get, server.url))

        #expect(String(decoding: response.body, as: UTF8.self) == "all of it")
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: 1\r\n folded: 2\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "",
    ])
    func `an answer that breaks off or is not HTTP is an error`(bytes: String) throws {
        let server = try RawServer { _, connection in
            connection.send(bytes)
            connection.close()
        }

        let failure = client.failure(of: ClientRequest(.get, server.url))

        guard case .transfer = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test func `a reset in the middle of a body is an error`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
            connection.reset()
        }

        guard case .transfer = client.failure(of: ClientRequest(.get, server.url)) else {
            Issue.record("it was taken for whole")
            return
        }
    }

    @Test func `a header larger than allowed is refused`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\n")
            for number in 0..<100 { connection.send("X-\(number): \(String(repeating: "x", count: 1_000))\r\n") }
            connection.send("Content-Length: 0\r\n\r\n")
        }

        #expect(client.failure(of: ClientRequest(.get, server.url)) == .tooLarge)
    }

    @Test func `more fields than allowed are refused`() throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\n" + String(repeating: "X: 1\r\n", count: 300) + "\r\n")
        }

        #expect(client.failure(of: ClientRequest(.get, server.url)) == .tooLarge)
    }

    @Test(arguments: ["Content-Length: 101\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n65\r\n"])
    func `a body larger than the maximum is refused`(framing: String) throws {
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\n\(framing)\(String(repeating: "x", count: 101))")
            connection.waitForEnd()
            connection.close()
        }

        #expect(client.failure(of: ClientRequest(.get, server.url, sink: .memory(max: 100))) == .tooLarge)
    }

    @Test func `a body of exactly the maximum is taken`() throws {
        let server = try RawServer { _, connection in
            connection.respond(200, body: String(repeating: "x", count: 100))
        }

        #expect(try client.send(ClientRequest(.get, server.url, sink: .memory(max: 100))).body.count == 100)
    }

    @Test(arguments: [
        "", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://user:secret@127.0.0.1/", "http://a b/",
        "http://127.0.0.1:99999/", "//127.0.0.1/", "http://127.0.0.1:80:80/", "http://127.0.0.1\\@evil/",
    ])
    func `a URL that is not plain http is refused`(url: String) {
        #expect(client.failure(of: ClientRequest(.get, url)) == .badURL)
    }

    @Test(arguments: ["Content-Length", "Transfer-Encoding", "connection", "Expect"])
    func `fields that frame the message are refused`(name: String) {
        let failure = client.failure(of: ClientRequest(.get, "http://127.0.0.1:1/", fields: [name: "1"]))

        guard case .badRequest = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test func `a port where nobody listens is told as such`() throws {
        let port = try LoopbackSocket.freePort()

        guard case .couldNotConnect = client.failure(of: ClientRequest(.get, "http://127.0.0.1:\(port)/")) else {
            Issue.record("no refusal")
            return
        }
    }

    @Test func `the async form answers and the completion form too`() async throws {
        let server = try RawServer { _, connection in connection.respond(200, body: "ok") }
        let results = Results()

        let response = try await client.response(to: ClientRequest(.get, server.url))
        client.start(ClientRequest(.get, server.url)) { results.add($0) }

        #expect(response.body == Array("ok".utf8))
        #expect(results.wait(for: 1))
        #expect(results.all.first?.status == 200)
    }

    @Test func `pooled connections are used again`() throws {
        let server = try RawServer { _, connection in connection.respond(200, body: "ok") }

        for _ in 0..<50 { _ = try client.send(ClientRequest(.get, server.url)) }

        #expect(server.counts.connections == 1)
        #expect(server.counts.requests == 50)
    }

    @Test func `no more exchanges run at one origin than allowed`() throws {
        let server = try RawServer { _, connection in
            usleep(3_000)
            connection.respond(200)
        }
        let client = HTTPClient.forTests { $0.connectionsPerHostMax = 3 }
        let results = Results()

        for _ in 0..<40 { client.start(ClientRequest(.get, server.url)) { results.add($0) } }

        #expect(results.wait(for: 40))
        #expect(results.all.allSatisfy { $0.status == 200 })
        #expect(server.counts.runningMax == 3)
        #expect(server.counts.connections == 3)
    }

    @Test func `a busy origin does not keep others waiting`() throws {
        let busy = try RawServer { _, connection in connection.waitForEnd() }
        let other = try RawServer { _, connection in connection.respond(200) }
        let client = HTTPClient.forTests { $0.connectionsPerHostMax = 2 }
        let exchanges = (0..<20).map { _ in client.start(ClientRequest(.get, busy.url)) { _ in } }

        #expect(try client.send(ClientRequest(.get, other.url, deadline: .seconds(2))).status == .ok)

        for exchange in exchanges { exchange.cancel() }
    }

    @Test func `past the bound a request is refused at once`() throws {
        let server = try RawServer { _, connection in connection.waitForEnd() }
        let client = HTTPClient.forTests { $0.exchangesMax = 4 }
        for _ in 0..<4 { client.start(ClientRequest(.get, server.url)) { _ in } }

        #expect(client.failure(of: ClientRequest(.get, server.url)) == .overloaded)

        client.shutdown()
    }
}
