import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem
import Testing

@Suite struct RouterTests {
    private func text(
        _ router: Router,
        _ method: HTTPMethod,
        _ target: String,
        _ fields: HTTPFields = [:]
    ) throws
        -> (status: Int, text: String, fields: HTTPFields)
    {
        let response = router.respond(to: try HTTPRequest(method, target, fields: fields))
        return (
            response.status.code, String(decoding: try response.collectedBody(), as: UTF8.self), response.fields
        )
    }

    private func echo(_ router: inout Router, _ method: HTTPMethod, _ pattern: String) {
        router.on(method, pattern) { _, context throws(APIError) in
            let values = ["id", "name"].compactMap { context.parameters[$0] } + context.parameters.rest
            return .text("\(context.pattern) \(values)")
        }
    }

    @Test func `a literal goes before a parameter and a parameter before the rest`() throws {
        var router = Router()
        for pattern in ["/", "/a", "/a/:id", "/a/b", "/a/:id/c", "/a/:name/d/:id", "/a/*all"] {
            echo(&router, .get, pattern)
        }

        #expect(try text(router, .get, "/").text == "/ []")
        #expect(try text(router, .get, "/a").text == "/a []")
        #expect(try text(router, .get, "/a/b").text == "/a/b []")
        #expect(try text(router, .get, "/a/x%20y").text == "/a/:id [\"x y\"]")
        #expect(try text(router, .get, "/a/b/c").text == "/a/:id/c [\"b\"]")
        #expect(try text(router, .get, "/a/1/d/2").text == "/a/:name/d/:id [\"2\", \"1\"]")
        #expect(try text(router, .get, "/a/b/e/f").text == "/a/*all [\"b\", \"e\", \"f\"]")
        #expect(try text(router, .get, "/b").status == 404)
    }

    @Test func `a path without the method is 405 and says which it knows`() throws {
        var router = Router()
        echo(&router, .get, "/a")
        echo(&router, .put, "/a")

        let refused = try text(router, .post, "/a")
        #expect(refused.status == 405)
        #expect(refused.fields["Allow"] == "GET, HEAD, PUT, OPTIONS")
        #expect(refused.fields["Content-Type"] == "application/problem+json")

        let options = try text(router, .options, "/a")
        #expect(options.status == 204)
        #expect(options.fields["Allow"] == "GET, HEAD, PUT, OPTIONS")
        #expect(try text(router, .options, "*").status == 204)
        #expect(try text(router, .get, "*").status == 400)
        #expect(try text(router, .head, "/a").status == 200)
        #expect(try text(router, HTTPMethod(rawValue: "BREW"), "/a").status == 501)
    }

    @Test func `every answer names its request and forbids guessing its type`() throws {
        var router = Router()
        echo(&router, .get, "/a")

        for target in ["/a", "/b"] {
            let answer = try text(router, .get, target)
            #expect(answer.fields["X-Request-Id"]?.isEmpty == false)
            #expect(answer.fields["X-Content-Type-Options"] == "nosniff")
            #expect(answer.fields["Content-Security-Policy"]?.contains("frame-ancestors 'none'") == true)
            #expect(answer.fields["Date"].flatMap { HTTPDate.parse($0) } != nil)
        }
    }

    @Test func `a handler behind an authenticator is not reached without a principal`() throws {
        var router = Router()
        let authenticator = Authenticator<String> { request throws(APIError) in
            guard let name = request.fields["X-Name"] else { throw .unauthorized("who are you?") }
            return name
        }
        router.onAuthenticated(.get, "/me/:id", by: authenticator) { _, context throws(APIError) in
            .text("\(context.principal) \(context.parameters["id"] ?? "")")
        }

        let refused = try text(router, .get, "/me/1")
        #expect(refused.status == 401)
        #expect(refused.fields["WWW-Authenticate"] == "Bearer")
        #expect(try text(router, .get, "/me/1", ["X-Name": "ann"]).text == "ann 1")
    }

    @Test func `middleware stands around the routes of its group, the first outermost`() throws {
        struct Tag: Middleware {
            let name: String

            func respond(
                to request: HTTPRequest,
                next: (HTTPRequest) throws(APIError) -> HTTPResponse
            ) throws(APIError) -> HTTPResponse {
                if request.query["stop"] == name { throw .forbidden("stopped at \(name)") }
                let response = try next(request)
                return response.with("X-Seen", "\(name) \(response.fields["X-Seen"] ?? "")")
            }
        }
        var router = Router()
        router.group("/v1", middleware: [Tag(name: "a"), Tag(name: "b")]) { router in
            router.group("/in", middleware: [Tag(name: "c")]) { echo(&$0, .get, "/x") }
            echo(&router, .get, "/y")
        }
        echo(&router, .get, "/z")

        #expect(try text(router, .get, "/v1/in/x").fields["X-Seen"] == "a b c ")
        #expect(try text(router, .get, "/v1/y").fields["X-Seen"] == "a b ")
        #expect(try text(router, .get, "/z").fields["X-Seen"] == nil)
        #expect(try text(router, .get, "/v1/in/x?stop=b").status == 403)
    }

    @Test func `an answer at hand needs no handler, and still gets what every answer gets`() throws {
        struct Stop: Middleware {
            func respond(
                to request: HTTPRequest,
                next: (HTTPRequest) throws(APIError) -> HTTPResponse
            ) throws(APIError) -> HTTPResponse {
                if request.query.isEmpty { return try next(request).with("X-Seen", "yes") }
                throw .forbidden("stopped")
            }
        }
        var router = Router()
        let authenticator = Authenticator<String> { request throws(APIError) in
            guard let name = request.fields["X-Name"] else { throw .unauthorized("who are you?") }
            return name
        }
        router.group("/v1", middleware: [Stop()]) { router in
            router.onAuthenticated(.get, "/:id", by: authenticator) { request, context throws(APIError) in
                guard request.fields["X-Name"] == "ann" else { return nil }
                return ("ann", .text("at hand").with("ETag", "\"1\""))
            } handler: { _, asked throws(APIError) in
                .text("handled for \(asked.principal)")
            }
        }

        let found = try text(router, .get, "/v1/1", ["X-Name": "ann"])
        #expect(found.text == "at hand" && found.fields["X-Seen"] == "yes")
        #expect(try text(router, .get, "/v1/1", ["X-Name": "ann", "If-None-Match": "\"1\""]).status == 304)
        #expect(try text(router, .get, "/v1/1", ["X-Name": "bob"]).text == "handled for bob")
        #expect(try text(router, .get, "/v1/1").status == 401)
        #expect(try text(router, .get, "/v1/1?stop=1", ["X-Name": "ann"]).status == 403)
    }

    @Test func `typed parameters refuse what they are not`() throws {
        var router = Router()
        router.on(.get, "/node/:id") { _, context throws(APIError) in
            let id: NodeID = try context.parameters.identifier("id")
            return .text("\(id)")
        }
        router.on(.get, "/page/:number") { _, context throws(APIError) in
            .text("\(try context.parameters.integer("number", in: 1...9))")
        }
        let id = NodeID(high: 1, low: 2)

        #expect(try text(router, .get, "/node/\(id)").text == "\(id)")
        #expect(try text(router, .get, "/node/1").status == 400)
        #expect(try text(router, .get, "/page/9").text == "9")
        #expect(try text(router, .get, "/page/10").status == 400)
    }

    @Test func `ranges and conditions are applied to what a handler describes whole`() throws {
        var router = Router()
        router.on(.get, "/content") { _, _ throws(APIError) in
            let content = Array("0123456789".utf8)
            return .source(
                ContentSource(size: 10) { offset, count throws(APIError) in
                    Array(content[Int(offset)...].prefix(min(count, 3)))
                }
            ).with("ETag", "\"v1\"")
        }

        #expect(try text(router, .get, "/content").text == "0123456789")
        #expect(try text(router, .get, "/content", ["If-None-Match": "\"v1\""]).status == 304)
        #expect(try text(router, .get, "/content", ["If-Match": "\"v2\""]).status == 412)
        let part = try text(router, .get, "/content", ["Range": "bytes=2-6"])
        #expect(part.status == 206)
        #expect(part.text == "23456")
        #expect(part.fields["Content-Range"] == "bytes 2-6/10")
        #expect(try text(router, .get, "/content", ["Range": "bytes=2-6", "If-Range": "\"v0\""]).status == 200)
        let refused = try text(router, .get, "/content", ["Range": "bytes=10-"])
        #expect(refused.status == 416)
        #expect(refused.fields["Content-Range"] == "bytes */10")
        let parts = try text(router, .get, "/content", ["Range": "bytes=0-0,-2"])
        #expect(parts.status == 206)
        #expect(parts.fields["Content-Type"]?.hasPrefix("multipart/byteranges; boundary=") == true)
        #expect(parts.text.contains("Content-Range: bytes 0-0/10\r\n\r\n0\r\n--"))
        #expect(parts.text.contains("Content-Range: bytes 8-9/10\r\n\r\n89\r\n--"))
    }

    @Test func `a parked answer settles once, and a forgotten one is an error`() throws {
        var router = Router()
        router.on(.get, "/later") { _, _ throws(APIError) in
            .parked { parked in
                _ = Thread(name: "later") {
                    parked.complete(.text("first"))
                    parked.complete(.text("second"))
                }
            }
        }
        router.on(.get, "/never") { _, _ throws(APIError) in .parked { _ in } }

        let later = router.respond(to: try HTTPRequest(.get, "/later")).settled(within: .seconds(5))
        #expect(try later?.collectedBody() == Array("first".utf8))
        let never = router.respond(to: try HTTPRequest(.get, "/never")).settled(within: .seconds(5))
        #expect(never?.status == .internalServerError)
    }

    @Test func `a body longer than its route allows is 413`() throws {
        var router = Router()
        router.on(.put, "/a", body: .limited(to: 3)) { request, _ throws(APIError) in
            .bytes(try request.body.bytes(max: 100))
        }

        #expect(router.respond(to: try HTTPRequest(.put, "/a", body: [1, 2, 3])).status == .ok)
        #expect(router.respond(to: try HTTPRequest(.put, "/a", body: [1, 2, 3, 4])).status == .contentTooLarge)
    }

    @Test func `a JSON body is read as what it must be, or refused with the place`() throws {
        struct Point: JSONDecodable, JSONEncodable {
            let x: Int64

            init(json: JSONValue) throws(JSONError) { x = try JSONReader(json).integer("x", in: 0...9) }
            func encode(to writer: inout JSONWriter) {
                writer.beginObject()
                writer.key("x")
                writer.integer(x)
                writer.endObject()
            }
        }
        var router = Router()
        router.on(.post, "/point") { request, _ throws(APIError) in .json(try request.json(Point.self, bytesMax: 20)) }
        func post(_ body: String, _ type: String? = "application/json; charset=utf-8") throws -> (Int, String) {
            var fields = HTTPFields()
            fields["Content-Type"] = type
            let request = try HTTPRequest(.post, "/point", fields: fields, body: Array(body.utf8))
            let response = router.respond(to: request)
            return (response.status.code, String(decoding: try response.collectedBody(), as: UTF8.self))
        }

        #expect(try post("{\"x\": 3}") == (200, "{\"x\":3}"))
        #expect(try post("{\"x\":3}", nil) == (200, "{\"x\":3}"))
        #expect(try post("{\"x\":3}", "text/plain").0 == 415)
        #expect(try post("{\"x\":").0 == 400)
        #expect(try post("{\"x\":99}").1.contains("$.x"))
        #expect(try post("{\"x\":3              }").0 == 413)
    }
}
