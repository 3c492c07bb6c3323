import DaleksCore

/// A recursive descent over one text in memory.
///
/// Every read of `bytes` stands behind a comparison with `bytes.count` in the same function.
struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    var position = 0
    private var depthLeft: Int
    /// How many members the last object had: in a list of alike objects the next one has as many.
    private var membersExpected = 8

    init(_ bytes: UnsafeRawBufferPointer, depthMax: Int) {
        self.bytes = bytes
        depthLeft = depthMax
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try value()
        skipWhiteSpace()
        guard position == bytes.count else { throw failure("something follows the value") }
        return value
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        skipWhiteSpace()
        guard position < bytes.count else { throw failure("the text ends where a value is due") }
        switch bytes[position] {
        case UInt8(ascii: "\""):
            return .string(try string())
        case UInt8(ascii: "{"):
            return try object()
        case UInt8(ascii: "["):
            return try array()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try number()
        case UInt8(ascii: "t"):
            return try literal("true", .bool(true))
        case UInt8(ascii: "f"):
            return try literal("false", .bool(false))
        case UInt8(ascii: "n"):
            return try literal("null", .null)
        default:
            throw failure("no value begins like this")
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes.count - position >= word.utf8CodeUnitCount else { throw failure("no value begins like this") }
        for index in 0..<word.utf8CodeUnitCount where bytes[position + index] != word.utf8Start[index] {
            throw failure("no value begins like this")
        }
        position += word.utf8CodeUnitCount
        return value
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        try enter()
        var elements: [JSONValue] = []
        if !take(UInt8(ascii: "]")) {
            repeat {
                do throws(JSONError) {
                    elements.append(try value())
                } catch {
                    throw error.under("$[\(elements.count)]")
                }
            } while try another(closing: UInt8(ascii: "]"), "a comma or ] is due")
        }
        depthLeft += 1
        return .array(elements)
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        let start = position
        try enter()
        var members: [JSONObject.Member] = []
        if !take(UInt8(ascii: "}")) {
            members.reserveCapacity(membersExpected)
            repeat {
                members.append(try member())
            } while try another(
                closing: UInt8(ascii: "}"),
                "a comma or } is due"
            )
        }
        depthLeft += 1
        membersExpected = min(members.count, 64)
        guard let object = JSONObject(parsed: members) else {
            throw JSONError(message: "the object names a member twice", offset: start)
        }
        return .object(object)
    }

    private mutating func member() throws(JSONError) -> JSONObject.Member {
        skipWhiteSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { throw failure("a name is due") }
        let key = try string()
        guard take(UInt8(ascii: ":")) else { throw failure("a colon is due") }
        do throws(JSONError) {
            return JSONObject.Member(parsed: key, try value())
        } catch {
            throw error.under(JSONPath.root("$").member(key).description)
        }
    }

    private mutating func enter() throws(JSONError) {
        guard depthLeft > 0 else { throw failure("the text is nested too deeply") }
        depthLeft -= 1
        position += 1
    }

    /// After an element: true where a comma says that another follows, false at the end.
    private mutating func another(closing: UInt8, _ otherwise: String) throws(JSONError) -> Bool {
        skipWhiteSpace()
        guard position < bytes.count else { throw failure("the text ends in the middle") }
        let byte = bytes[position]
        guard byte == UInt8(ascii: ",") || byte == closing else { throw failure(otherwise) }
        position += 1
        return byte != closing
    }

    private mutating func take(_ wanted: UInt8) -> Bool {
        skipWhiteSpace()
        guard position < bytes.count, bytes[position] == wanted else { return false }
        position += 1
        return true
    }

    private mutating func skipWhiteSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): position += 1
            default: return
            }
        }
    }

    func failure(_ message: String, at offset: Int? = nil) -> JSONError {
        JSONError(message: message, offset: offset ?? position)
    }
}
