import DaleksCore
import DaleksJSON
import Testing

struct JSONWriterTests {
    private struct Point: JSONEncodable {
        let x: Int
        func encode(to writer: inout JSONWriter) { writer.object { $0.member("x", x) } }
    }

    @Test
    func `the writer spells what it is told, with commas and colons in their places`() {
        var writer = JSONWriter()

        writer.beginObject()
        writer.key("a")
        writer.beginArray()
        writer.integer(-7)
        writer.integer(Int64.min)
        writer.integer(UInt64.max)
        writer.bool(true)
        writer.null()
        writer.beginObject()
        writer.endObject()
        writer.beginArray()
        writer.endArray()
        writer.endArray()
        writer.member("b", Point(x: 1))
        writer.member("c", [Point(x: 2), Point(x: 3)])
        writer.member("d", ifPresent: Int?.none)
        writer.member("e", ifPresent: "é")
        writer.key("f")
        writer.base64([0xfb, 0xff])
        writer.key("g")
        writer.double(1.5)
        writer.endObject()

        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"a":[-7,-9223372036854775808,18446744073709551615,true,null,{},[]],"b":{"x":1},"#
                + #""c":[{"x":2},{"x":3}],"e":"é","f":"-_8","g":1.5}"#
        )
    }

    @Test(arguments: [
        ("", #""""#), ("\"", #""\"""#), ("\\", #""\\""#), ("/", #""/""#),
        ("\u{0}\u{1f}\u{7f}", "\"\\u0000\\u001f\u{7f}\""),
        ("\u{8}\u{9}\u{a}\u{c}\u{d}", #""\b\t\n\f\r""#), ("a\nb", #""a\nb""#), ("😀", #""😀""#),
    ])
    func `strings are escaped where JSON demands it and nowhere else`(text: String, spelling: String) {
        #expect(JSONValue.string(text).text == spelling)
    }

    @Test(arguments: [
        (0.1, "0.1"), (1, "1.0"), (-0.0, "-0.0"), (1e300, "1e+300"), (.leastNonzeroMagnitude, "5e-324"),
        (.infinity, "null"),
        (-.infinity, "null"), (.nan, "null"), (123456789.125, "123456789.125"),
    ])
    func `doubles are written shortest, and null where JSON has no spelling`(number: Double, spelling: String) {
        #expect(JSONValue.double(number).text == spelling)
    }

    @Test
    func `ground types write themselves as text`() {
        let node = NodeID(high: 1, low: 2)

        #expect(String(decoding: [node].jsonBytes, as: UTF8.self) == #"["00000000000000010000000000000002"]"#)
        #expect(String(decoding: "x".jsonBytes, as: UTF8.self) == #""x""#)
        #expect(String(decoding: Int64(5).jsonBytes, as: UTF8.self) == "5")
    }
}
