import DaleksJSON
import DaleksTestSupport
import Testing

/// What RFC 8259 says is a text, and what it says is none.
struct JSONGrammarTests {
    struct Valid: Sendable, CustomTestStringConvertible {
        let text: String
        let value: JSONValue
        var testDescription: String { text }

        init(_ text: String, _ value: JSONValue) { (self.text, self.value) = (text, value) }
    }

    static let valid: [Valid] = [
        Valid("null", .null),
        Valid("true", true),
        Valid("false", false),
        Valid(" \t\r\n true \t\r\n ", true),
        Valid("0", 0),
        Valid("-0", 0),
        Valid("7", 7),
        Valid("-1", -1),
        Valid("9223372036854775807", .integer(.max)),
        Valid("-9223372036854775808", .integer(.min)),
        Valid("9223372036854775808", .double(9_223_372_036_854_775_808)),
        Valid("-9223372036854775809", .double(-9_223_372_036_854_775_808)),
        Valid("123456789012345678901234567890", .double(1.2345678901234568e29)),
        Valid("0.0", 0.0),
        Valid("1.5", 1.5),
        Valid("-1.25", -1.25),
        Valid("1e0", 1.0),
        Valid("1E+2", 100.0),
        Valid("1e-2", 0.01),
        Valid("0.1", 0.1),
        Valid("0e99999999999", 0.0),
        Valid("1e-99999", 0.0),
        Valid("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
        Valid("5e-324", .double(.leastNonzeroMagnitude)),
        Valid("2.2250738585072011e-308", .double(.leastNormalMagnitude - .leastNonzeroMagnitude)),
        Valid("9007199254740993.0", .double(9_007_199_254_740_992)),
        Valid("1e23", .double(1e23)),
        Valid(#""""#, ""),
        Valid(#""a""#, "a"),
        Valid(#""exactly8""#, "exactly8"),
        Valid(
            #""a text longer than one word of the scanner, é and all""#,
            "a text longer than one word of the scanner, é and all"
        ),
        Valid(#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        Valid(#""\u0041\u00e9\u20AC""#, "Aé€"),
        Valid(#""\u0000""#, "\u{0}"),
        Valid(#""\ud83d\ude00""#, "😀"),
        Valid(#""\uD800\uDC00\uDBFF\uDFFF""#, "\u{10000}\u{10ffff}"),
        Valid(
            "\"\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}\"",
            "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}"
        ),
        Valid("\"é\\n\"", "é\n"),
        Valid("[]", []),
        Valid("[ ]", []),
        Valid("[1]", [1]),
        Valid("[1,[2,[]],\"\"]", [1, [2, []], ""]),
        Valid("{}", [:]),
        Valid("{ }", [:]),
        Valid(#"{"a":1}"#, ["a": 1]),
        Valid(#" { "a" : { "b" : [ null ] } , "" : -1.0 } "#, ["a": ["b": [nil]], "": -1.0]),
        Valid(#"{"a":1,"A":2}"#, ["a": 1, "A": 2]),
        Valid("{\"\u{e9}\":1,\"e\u{301}\":2}", .object(JSONObject([("\u{e9}", 1), ("e\u{301}", 2)]))),
        Valid(String(repeating: "[", count: 64) + String(repeating: "]", count: 64), nested(64)),
    ]

    private static func nested(_ depth: Int) -> JSONValue {
        (1..<depth).reduce(.array([])) { inner, _ in .array([inner]) }
    }

    @Test(arguments: valid)
    func `a text of the grammar has its value`(_ text: Valid) throws {
        #expect(try JSONValue.parse(text.text) == text.value)
    }

    static let invalid: [String] = [
        "", " ", "\u{feff}1", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "undefined", "'a'",
        "1 2", "1,", "{} {}", "[] x", "1\u{0}", "\u{0}", "\u{a0}1", "\u{c}1", "/**/1", "1//",
        "-", "+1", "01", "-01", "00", "1.", ".5", "-.5", "1.e1", "1e", "1e+", "1e-", "1e1.5", "0x10", "1_000", "1a",
        "--1", "1e400", "-1e400", "1e99999999999999999999",
        "\"", "\"a", "\"a\\\"", "\"\\x\"", "\"\\u\"", "\"\\u12\"", "\"\\u123g\"", "\"\\u 123\"", "\"\\u+123\"", "\"\\",
        "\"\\u", "\"\\u1", "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"\u{1f}\"", "\"12345678\u{1}\"", "\"\\\n\"",
        "\"a\\n\u{1}\"",
        #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #""\ud800\ud800""#, #""\udc00\ud800""#, #""\ud800x""#,
        #""\ud800\"#, #""\uD83D\n""#,
        "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1;2]", "[1}", "[\"a\":1]",
        "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{a:1}", "{1:1}",
        "{\"a\":1 \"b\":2}", "{\"a\":1]", "{\"a\"::1}", "{null:1}", "{'a':1}",
        #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"b":{"a":1,"c":2,"a":1}}"#, #"{"":1,"":1}"#,
        String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
        String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000),
        String(repeating: "1", count: 513), "0." + String(repeating: "1", count: 1_000),
    ]

    @Test(arguments: invalid)
    func `a text outside the grammar is refused`(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    }

    /// Bytes of a string that are not UTF-8 (Unicode 15, table 3-7).
    static let notUTF8: [[UInt8]] = [
        [0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc2, 0x41], [0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf],
        [0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
        [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80],
        [0xf0, 0x9f, 0x98], [0xfe], [0xff],
    ]

    @Test(arguments: notUTF8, ["\"", "\"some text before it", "\"\\n"])
    func `a string that is not UTF-8 is refused where it stops being so`(_ bytes: [UInt8], before: String) {
        let error = #expect(throws: JSONError.self) {
            try JSONValue.parse(Array(before.utf8) + bytes + Array("\"".utf8))
        }

        #expect(error?.message == "the text is not UTF-8")
        #expect(error?.offset == before.utf8.count)
    }

    @Test(arguments: notUTF8)
    func `a name that is not UTF-8 is refused`(_ bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONValue.parse(Array("{\"".utf8) + bytes + Array("\":1}".utf8)) }
    }

    @Test
    func `every cut of a valid text is refused`() throws {
        let text = Array(#"{"name":"caf\u00e9 \ud83d\ude00","list":[1,-2.5e3,true,null,{"é":"x"}]}"#.utf8)
        _ = try JSONValue.parse(text)

        for count in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue.parse(Array(text[..<count])) }
        }
    }

    @Test
    func `a name that stands twice among many is refused`() {
        let members = (0..<1_000).map { "\"name \($0)\":1" }

        #expect(throws: Never.self) { try JSONValue.parse("{\(members.joined(separator: ","))}") }
        #expect(throws: JSONError.self) {
            try JSONValue.parse("{\((members + ["\"name 7\":1"]).joined(separator: ","))}")
        }
    }

    @Test
    func `limits on size and depth are obeyed`() {
        #expect(throws: Never.self) { try JSONValue.parse("[[]]", limits: JSONLimits(depthMax: 2, bytesMax: 4)) }
        #expect(throws: JSONError.self) { try JSONValue.parse("[[]]", limits: JSONLimits(depthMax: 1)) }
        #expect(throws: JSONError.self) { try JSONValue.parse("[[]]", limits: JSONLimits(bytesMax: 3)) }
        #expect(JSONLimits(depthMax: 1_000_000).depthMax == 64)
    }

    @Test
    func `an error says where it is in the text and in the value`() {
        let error = #expect(throws: JSONError.self) {
            try JSONValue.parse(#"{"items":[{"name":"a"},{"a name":{"x":tru}}]}"#)
        }

        #expect(error?.path == #"$.items[1]["a name"].x"#)
        #expect(error?.offset == 38)
        #expect(
            error.map(String.init(describing:)) == #"$.items[1]["a name"].x: no value begins like this (at byte 38)"#
        )
    }

    @Test
    func `numbers round to the nearest double as the C library does`() throws {
        var generator = SeededGenerator(for: "doubles")
        for _ in 0..<20_000 {
            let digits = String(generator.next() >> UInt64(generator.next() % 60))
            let point = Int(generator.next() % UInt64(digits.utf8.count))
            let whole = digits.prefix(point)
            let exponent = Int(generator.next() % 80) - 40
            let text = "\(whole.first.map { $0 == "0" } ?? true ? "0" : whole).\(digits.dropFirst(point))e\(exponent)"

            let value = try JSONValue.parse(text)

            #expect(value == .double(try #require(Double(text))), "\(text)")
        }
    }
}
