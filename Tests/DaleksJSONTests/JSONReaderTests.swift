import DaleksCore
import DaleksJSON
import Testing

struct JSONReaderTests {
    private struct Entry: JSONDecodable, Equatable {
        let name: String
        init(json: JSONValue) throws(JSONError) { name = try JSONReader(json).string("name") }
    }

    private let reader = JSONReader([
        "text": "é", "number": 7, "half": 0.5, "yes": true, "nothing": nil, "bytes": "-_8", "bad": "a b",
        "id": "00000000000000010000000000000002", "list": [1, "two"], "object": ["deep": [["name": "x"], ["name": 3]]],
        "words": ["a", "b"],
    ])

    @Test
    func `members are read by kind`() throws {
        #expect(try reader.string("text") == "é")
        #expect(try reader.integer("number") == 7)
        #expect(try reader.integer("number", in: 0...7) == 7)
        #expect(try reader.integer("number", in: UInt8(0)...9) == 7)
        #expect(try reader.double("half") == 0.5)
        #expect(try reader.double("number") == 7)
        #expect(try reader.bool("yes"))
        #expect(try reader.bytes("bytes") == [0xfb, 0xff])
        #expect(try reader.identifier("id") == NodeID(high: 1, low: 2))
        #expect(try reader.array("list").count == 2)
        #expect(try reader.strings("words") == ["a", "b"])
        #expect(try reader.object("object").array("deep")[0].decode(Entry.self).name == "x")
    }

    @Test
    func `optional members are nil where missing or null, and still have a kind`() throws {
        #expect(try reader.optionalString("nobody") == nil)
        #expect(try reader.optionalString("nothing") == nil)
        #expect(try reader.optionalInteger("nobody") == nil)
        #expect(try reader.optionalBool("nothing") == nil)
        #expect(try reader.optionalBytes("nobody") == nil)
        #expect(try reader.optionalArray("nobody") == nil)
        #expect(try reader.optionalObject("nobody") == nil)
        #expect(try (reader.optionalIdentifier("nobody") as NodeID?) == nil)
        #expect(throws: JSONError.self) { try reader.optionalString("number") }
        #expect(throws: JSONError.self) { try reader.optionalInteger("half") }
        #expect(throws: JSONError.self) { try reader.optionalObject("list") }
    }

    @Test
    func `an error names the path of what is wrong and what was wanted`() throws {
        func message(_ body: () throws -> Void) -> String? {
            #expect(throws: JSONError.self, performing: body).map(String.init(describing:))
        }

        #expect(message { _ = try reader.string("nobody") } == "$.nobody: is missing")
        #expect(message { _ = try reader.string("nothing") } == "$.nothing: is missing")
        #expect(message { _ = try reader.string("number") } == "$.number: is an integer and must be a string")
        #expect(message { _ = try reader.integer("half") } == "$.half: is a number and must be an integer")
        #expect(message { _ = try reader.integer("number", in: 8...9) } == "$.number: is not within 8 and 9")
        #expect(message { _ = try reader.integer("number", in: UInt8(8)...9) } == "$.number: is not within 8 and 9")
        #expect(message { _ = try reader.string("text", bytesMax: 1) } == "$.text: is longer than 1 bytes")
        #expect(message { _ = try reader.bytes("bad") } != nil)
        #expect(message { _ = try reader.bytes("bytes", countMax: 1) } != nil)
        #expect(message { _ = try (reader.identifier("text") as NodeID) } != nil)
        #expect(message { _ = try reader.strings("list") } == "$.list[0]: is an integer and must be a string")
        #expect(
            message { _ = try reader.object("object").array("deep")[1].decode(Entry.self) }
                == "$.object.deep[1].name: is an integer and must be a string"
        )
        #expect(message { _ = try reader.array("list", countMax: 1) } == "$.list: has more than 1 elements")
        #expect(
            message { _ = try JSONReader(3, path: "body").string("a") } == "body: is an integer and must be an object"
        )
    }

    @Test
    func `members that are not known can be refused`() throws {
        let reader = JSONReader(["a": 1, "b\n": 2])

        #expect(throws: Never.self) { try reader.refuseMembers(otherThan: ["a", "b\n", "c"]) }
        let error = #expect(throws: JSONError.self) { try reader.refuseMembers(otherThan: ["a"]) }
        #expect(error?.path == #"$["b\n"]"#)
    }
}
