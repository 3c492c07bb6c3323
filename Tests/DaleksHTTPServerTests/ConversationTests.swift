import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem
import Glibc
import Testing

@Suite struct ConversationTests {
    private func hello(_ router: inout Router) {
        router.on(.get, "/event", runs: .event) { _, _ throws(APIError) in .text("event") }
        router.on(.get, "/worker") { _, _ throws(APIError) in .text("worker") }
        router.on(.put, "/echo") { request, _ throws(APIError) in .bytes(try request.body.bytes(max: 1 << 20)) }
        router.on(.post, "/form", runs: .event) { request, _ throws(APIError) in
            .bytes(try request.body.bytes(max: 1 << 20))
        }
        router.on(.put, "/sized", body: BodyRule(bytesMax: 10, requiresLength: true)) { request, _ throws(APIError) in
            .bytes(try request.body.bytes(max: 100))
        }
    }

    @Test func `one connection carries many requests, pipelined ones in order`() throws {
        let server = try TestServer(routes: hello)
        let client = try server.connect()

        for _ in 0..<20 {
            #expect(client.get("/event")?.text == "event")
            #expect(client.get("/worker")?.text == "worker")
        }
        client.send(
            "GET /worker HTTP/1.1\r\nHost: t\r\n\r\nGET /event HTTP/1.1\r\nHost: t\r\n\r\n"
                + "PUT /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabcGET /nope HTTP/1.1\r\nHost: t\r\n\r\n"
        )
        #expect(client.readReply()?.text == "worker")
        #expect(client.readReply()?.text == "event")
        #expect(client.readReply()?.text == "abc")
        #expect(client.readReply()?.status == 404)
        #expect(server.server.connectionCount == 1)
    }

    @Test func `an old client is answered and its connection closed`() throws {
        let server = try TestServer(routes: hello)
        let client = try server.connect()

        client.send("GET /worker HTTP/1.0\r\n\r\n")

        #expect(client.readReply()?.text == "worker")
        #expect(client.seesEnd())
    }

    @Test func `HEAD has the fields of GET and no body`() throws {
        let server = try TestServer(routes: hello)
        let client = try server.connect()

        client.send("HEAD /worker HTTP/1.1\r\nHost: t\r\n\r\n")
        let reply = client.readReply(isHead: true)

        #expect(reply?.fields["Content-Length"] == "6")
        #expect(client.get("/event")?.text == "event")
    }

    @Test func `every answer has a request id, a date and nosniff`() throws {
        let server = try TestServer(routes: hello)
        let client = try server.connect()

        var ids: Set<String> = []
        for target in ["/event", "/worker", "/nope", "/event"] {
            let reply = try #require(client.get(target))
            ids.insert(try #require(reply.fields["X-Request-Id"]))
            #expect(reply.fields["X-Content-Type-Options"] == "nosniff")
            #expect(reply.fields["Content-Security-Policy"]?.contains("frame-ancestors 'none'") == true)
            #expect(reply.fields.all.allSatisfy { !$0.name.lowercased().hasPrefix("access-control-") })
            #expect(reply.fields["Date"].flatMap { HTTPDate.parse($0) } != nil)
        }
        #expect(ids.count == 4)
    }

    @Test(arguments: [
        ("GET /event HTTP/1.1\r\n\r\n", 400),
        ("GET /event HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /event HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET /../event HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /%2e%2e/event HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /event\u{0}/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /event HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n", 400),
        ("GET /event HTTP/1.1\r\nHost: a\r\nX Y: a\r\n\r\n", 400),
        ("GET /event HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", 400),
        ("GET /event HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        ("G{T /event HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("BREW /event HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("TRACE /event HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("GET /event HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /event HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n", 417),
        ("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        ("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
        ("PUT /sized HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 411),
        ("PUT /sized HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890", 413),
        ("PUT /sized HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
        ("GET /\(String(repeating: "a", count: 7_500)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET /\(String(repeating: "a", count: 30_000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET /event HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 8_300))\r\n\r\n", 431),
        ("GET /event HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 30_000))\r\n\r\n", 431),
    ])
    func `what is malformed or too large is refused with its status`(request: String, status: Int) throws {
        let server = try TestServer(routes: hello)
        let client = try server.connect()

        client.send(request)

        #expect(client.readReply()?.status == status)
    }

    @Test func `a body too long for an event route is poured away and answered`() throws {
        let server = try TestServer(routes: hello)
        let client = try server.connect()

        client.send("POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<80 { client.send("400\r\n\(String(repeating: "a", count: 1_024))\r\n") }
        client.send("0\r\n\r\n")

        #expect(client.readReply()?.status == 413)
        #expect(client.get("/event")?.status == 200)
        client.send("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        #expect(client.readReply()?.text == "abc")
    }

    @Test func `a refused request with a small body keeps its connection`() throws {
        let server = try TestServer(routes: hello)
        let client = try server.connect()

        client.send("POST /nope HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")

        #expect(client.readReply()?.status == 404)
        #expect(client.get("/event")?.status == 200)
    }

    @Test func `the client's address, scheme and host come from a trusted proxy only`() throws {
        func whoami(_ router: inout Router) {
            router.on(.get, "/", runs: .event) { request, _ throws(APIError) in
                .text("\(request.client) \(request.scheme) \(request.host ?? "-") \(request.requestID)")
            }
        }
        let fields =
            "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7\r\nX-Forwarded-Proto: https\r\n"
            + "X-Forwarded-Host: files.example\r\nX-Request-Id: from-outside\r\n"
        let plain = try TestServer(routes: whoami)
        let proxied = try TestServer {
            $0.trustedProxies = ["127.0.0.0/8", "10.0.0.0/8"].compactMap { CIDR($0) }
        } routes: {
            whoami(&$0)
        }

        #expect(try plain.get("/", fields).text.hasPrefix("127.0.0.1 http test "))
        #expect(try !plain.get("/", fields).text.contains("from-outside"))
        #expect(try proxied.get("/", fields).text == "203.0.113.9 https files.example from-outside")
        #expect(try proxied.get("/", "X-Request-Id: a b\r\n").text.hasPrefix("127.0.0.1 http test "))
    }

    @Test func `each request is one observation, with its principal and the bytes of its answer`() throws {
        let observed = Lock<[ServedRequest]>([])
        let server = try TestServer({ $0.observe = { served in observed.withLock { $0.append(served) } } }) {
            let known = Authenticator<Int>(naming: { "number \($0)" }) { _ in 7 }
            $0.onAuthenticated(.get, "/nodes/:id", by: known) { _, _ throws(APIError) in .text("four") }
            $0.on(.get, "/stream") { _, _ throws(APIError) in
                let left = Lock(3)
                return .stream { () throws(APIError) -> [UInt8]? in
                    left.withLock { left -> Int in
                        left -= 1
                        return left
                    } >= 0 ? [UInt8](repeating: 0, count: 1_000) : nil
                }
            }
        }
        let client = try server.connect()

        let answer = client.get("/nodes/secret?token=secret")
        _ = client.get("/nope")
        _ = client.get("/stream")

        #expect(eventually { observed.withLock { $0.count } == 3 })
        let seen = observed.withLock { $0 }
        #expect(seen.map(\.pattern) == ["/nodes/:id", "-", "/stream"] && seen.map(\.status) == [200, 404, 200])
        #expect(seen.map(\.principal) == ["number 7", nil, nil] && seen.allSatisfy { $0.isComplete })
        #expect(seen[0].bytes == 4 && seen[2].bytes == 3_000 && seen[0].method == "GET")
        #expect(seen[0].requestID == answer?.fields["X-Request-Id"] && seen[0].duration < .seconds(5))
        #expect(!seen.contains { "\($0)".contains("secret") })
    }

    @Test(arguments: [
        ("no colon", 400), ("Content-Length: x", 400), ("X: \(String(repeating: "a", count: 30_000))", 431),
    ])
    func `what the library refuses by itself is observed too`(field: String, status: Int) throws {
        let observed = Lock<[ServedRequest]>([])
        let server = try TestServer(
            { $0.observe = { served in observed.withLock { $0.append(served) } } },
            routes: hello
        )
        let client = try server.connect()

        client.send("GET /event HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n")

        #expect(client.readReply()?.status == status)
        #expect(eventually { observed.withLock { $0.map(\.status) } == [status] })
    }
}
