import DaleksCore
import DaleksHTTP
import Testing

@Suite struct FieldsTests {
    @Test func `names compare without case and keep their order`() {
        var fields: HTTPFields = ["Accept": "a"]
        fields.append("X-One", "1")
        fields.append("x-one", "2")

        #expect(fields["X-ONE"] == "1")
        #expect(fields.values("x-One") == ["1", "2"])
        #expect(fields.list("X-One") == "1, 2")

        fields["x-ONE"] = "3"
        #expect(fields.values("X-One") == ["3"])
        fields["x-one"] = nil
        #expect(!fields.contains("X-One"))
    }

    @Test(arguments: ["a\r\nSet-Cookie: b", "a\nb", "a\u{0}b", "a\u{7f}"])
    func `a value with a control character does not get in`(value: String) {
        var fields = HTTPFields()

        let wasAppended = fields.append("X", value)
        let wasSet = fields.set("X", value)
        fields["X"] = value

        #expect(!wasAppended && !wasSet)
        #expect(fields.isEmpty)
    }

    @Test(arguments: ["", "a b", "a:", "a\r\nb", "é"])
    func `a name that is no token does not get in`(name: String) {
        var fields = HTTPFields()

        let wasAppended = fields.append(name, "v")

        #expect(!wasAppended)
        #expect(fields.isEmpty)
    }
}

@Suite struct ProblemTests {
    @Test func `a problem carries status, stable code, detail and request id`() {
        let error = APIError.notFound("no \"such\"\nthing")

        let text = String(decoding: error.problem(requestID: "r-1"), as: UTF8.self)

        #expect(
            text == #"{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","#
                + #""detail":"no \"such\"\u000athing","request_id":"r-1"}"#
        )
    }

    @Test func `every code has a client or server status and its own name`() {
        #expect(Set(APIError.Code.allCases.map(\.rawValue)).count == APIError.Code.allCases.count)
        for code in APIError.Code.allCases {
            #expect(code.status.isClientError || code.status.isServerError)
            #expect(code.status.reasonPhrase != "Unknown")
        }
    }
}

@Suite struct TargetTests {
    @Test func `segments and query are decoded once`() throws {
        let target = try RequestTarget(parsing: "/v1/a%20b/%2525?x=1%202&x=a+b&flag")

        #expect(target.segments == ["v1", "a b", "%25"])
        #expect(target.query.values("x") == ["1 2", "a b"])
        #expect(target.query["flag"]?.isEmpty == true)
        #expect(throws: APIError.self) { try target.query.only("x") }
    }

    @Test func `the absolute form, the root and the asterisk are read`() throws {
        #expect(try RequestTarget(parsing: "http://host:80/a/b?c=d").segments == ["a", "b"])
        #expect(try RequestTarget(parsing: "HTTPS://host").segments.isEmpty)
        #expect(try RequestTarget(parsing: "http://host?c=d").query["c"] == "d")
        #expect(try RequestTarget(parsing: "/").segments.isEmpty)
        #expect(try RequestTarget(parsing: "*").isAsterisk)
        #expect(try RequestTarget(parsing: "/a/").segments == ["a", ""])
    }

    @Test(arguments: [
        "", "a", "//", "//a", "/a//b", "/.", "/..", "/a/../b", "/%2e%2e/b", "/%2E./b", "/.%2e", "/a%00b", "/a%2fb",
        "/a%2Fb",
        "/%ff", "/%c3%28", "/%", "/%1", "/%zz", "/a b", "/a\tb", "/a#b", "/a?x=%", "/a?x=%ff", "/a?x=%00", "http://",
        "http:///a", "ftp://host/a", "/a\u{7f}",
    ])
    func `a target that could be read in two ways is refused`(raw: String) {
        #expect(throws: APIError.self) { try RequestTarget(parsing: raw) }
    }

    @Test func `too many parameters are refused`() {
        let raw = "/?" + String(repeating: "a=1&", count: Limits.HTTP.queryItemsMax + 1)

        #expect(throws: APIError.self) { try RequestTarget(parsing: raw) }
    }

    @Test func `encoding is undone by decoding`() {
        let text = "a/b?c=d&e+f%g é\u{1F600}"

        #expect(PercentEncoding.decode(PercentEncoding.encode(text)) == text)
        #expect(PercentEncoding.decodeForm(PercentEncoding.encode(text)) == text)
        #expect(PercentEncoding.encode("a b/ü") == "a%20b%2F%C3%BC")
    }
}

@Suite struct RangeTests {
    @Test(arguments: [
        (nil, ByteRanges.whole),
        ("bytes=0-9", .ranges([0..<10])),
        ("Bytes = 0-9", .ranges([0..<10])),
        ("bytes=90-", .ranges([90..<100])),
        ("bytes=90-1000", .ranges([90..<100])),
        ("bytes=-5", .ranges([95..<100])),
        ("bytes=-500", .ranges([0..<100])),
        ("bytes=0-0, 5-5 ,-1", .ranges([0..<1, 5..<6, 99..<100])),
        ("bytes=200-300,0-1", .ranges([0..<2])),
        ("bytes=0-99999999999999999999999", .ranges([0..<100])),
        ("bytes=100-", .unsatisfiable),
        ("bytes=-0", .unsatisfiable),
        ("bytes=100-200,300-", .unsatisfiable),
        ("items=0-1", .whole),
        ("bytes=", .whole),
        ("bytes=,", .whole),
        ("bytes=5-1", .whole),
        ("bytes=a-b", .whole),
        ("bytes=+1-2", .whole),
        ("bytes", .whole),
        ("bytes=0-99,0-99", .whole),
    ])
    func `ranges of a hundred bytes`(header: String?, expected: ByteRanges) {
        #expect(ByteRanges.evaluate(header: header, size: 100) == expected)
    }

    @Test func `sixteen ranges are served and seventeen ignored`() {
        let sixteen = "bytes=" + (0..<16).map { "\($0)-\($0)" }.joined(separator: ",")

        #expect(ByteRanges.evaluate(header: sixteen, size: 100) == .ranges((0..<16).map { $0..<$0 + 1 }))
        #expect(ByteRanges.evaluate(header: sixteen + ",17-17", size: 100) == .whole)
    }

    @Test func `nothing has no ranges`() {
        #expect(ByteRanges.evaluate(header: "bytes=0-0", size: 0) == .unsatisfiable)
        #expect(ByteRanges.evaluate(header: "bytes=-1", size: 0) == .unsatisfiable)
    }
}

@Suite struct ConditionTests {
    private let tag = EntityTag("v1")
    private let modified = Timestamp(seconds: 784_111_777)

    @Test(arguments: [
        ("If-None-Match", "\"v1\"", HTTPMethod.get, Conditional.Outcome.notModified),
        ("If-None-Match", "W/\"v1\"", .get, .notModified),
        ("If-None-Match", "\"v0\", \"v1\"", .head, .notModified),
        ("If-None-Match", "*", .get, .notModified),
        ("If-None-Match", "\"v0\"", .get, .proceed),
        ("If-None-Match", "\"v1\"", .put, .preconditionFailed),
        ("If-Match", "\"v1\"", .put, .proceed),
        ("If-Match", "W/\"v1\"", .put, .preconditionFailed),
        ("If-Match", "\"v0\"", .put, .preconditionFailed),
        ("If-Match", "*", .put, .proceed),
        ("If-Match", "nonsense", .put, .preconditionFailed),
        ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", .get, .notModified),
        ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", .get, .proceed),
        ("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", .put, .preconditionFailed),
        ("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", .put, .proceed),
        ("If-Modified-Since", "not a date", .get, .proceed),
    ])
    func `conditions are compared with the state`(
        name: String,
        value: String,
        method: HTTPMethod,
        expected: Conditional.Outcome
    ) {
        var fields = HTTPFields()
        fields.set(name, value)

        #expect(Conditional.evaluate(method, fields, tag: tag, modified: modified) == expected)
    }

    @Test func `what does not exist matches nothing`() {
        #expect(
            Conditional.evaluate(.put, ["If-Match": "*"], tag: nil, exists: false) == .preconditionFailed
        )
        #expect(Conditional.evaluate(.put, ["If-None-Match": "*"], tag: nil, exists: false) == .proceed)
    }

    @Test func `a range counts only for the state it names`() {
        #expect(Conditional.allowsRange([:], tag: tag))
        #expect(Conditional.allowsRange(["If-Range": "\"v1\""], tag: tag))
        #expect(!Conditional.allowsRange(["If-Range": "W/\"v1\""], tag: tag))
        #expect(!Conditional.allowsRange(["If-Range": "\"v2\""], tag: tag))
        #expect(Conditional.allowsRange(["If-Range": "Sun, 06 Nov 1994 08:49:37 GMT"], tag: tag, modified: modified))
    }
}

@Suite struct DateAndTypeTests {
    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    ])
    func `the three forms of a date are one moment`(text: String) {
        #expect(HTTPDate.parse(text) == Timestamp(seconds: 784_111_777))
    }

    @Test func `a date is written in the first form`() {
        #expect(HTTPDate.text(Timestamp(seconds: 784_111_777)) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test(arguments: ["", "x", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "06 Nov 1994"])
    func `what is no date is refused`(text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }

    @Test func `a media type has lower-case names and unquoted values`() {
        let type = MediaType("Multipart/Form-Data; Boundary=\"a;\\\"b\"; charset=UTF-8")

        #expect(type?.essence == "multipart/form-data")
        #expect(type?["boundary"] == "a;\"b")
        #expect(type?["Charset"] == "UTF-8")
    }

    @Test(arguments: [
        "", "text", "text/", "/plain", "text/plain; a", "text/plain; a=b; A=c", "text/plain; a=\"b", "a/b/c",
    ])
    func `what is no media type is refused`(text: String) {
        #expect(MediaType(text) == nil)
    }
}
