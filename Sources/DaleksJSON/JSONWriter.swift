import DaleksCore

/// Writes JSON text as it is called, without a tree of values in between.
///
/// Commas and colons are its own business. Calls in an order that no JSON text has (a value without a name in an
/// object, an end without a begin) are the caller's mistakes and stop the program.
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []

    private enum Place: UInt8 {
        case document, firstKey, nextKey, memberValue, firstElement, nextElement, finished
    }

    private var place = Place.document
    /// Whether each open container is an object; the innermost is the last.
    private var isObjectAtDepth: [Bool] = []

    public init(reservingBytes capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    public mutating func beginObject() {
        beforeValue()
        bytes.append(UInt8(ascii: "{"))
        isObjectAtDepth.append(true)
        place = .firstKey
    }

    public mutating func endObject() {
        precondition(place == .firstKey || place == .nextKey, "an object ends where none is open or a value is due")
        isObjectAtDepth.removeLast()
        bytes.append(UInt8(ascii: "}"))
        afterValue()
    }

    public mutating func beginArray() {
        beforeValue()
        bytes.append(UInt8(ascii: "["))
        isObjectAtDepth.append(false)
        place = .firstElement
    }

    public mutating func endArray() {
        precondition(place == .firstElement || place == .nextElement, "an array ends where none is open")
        isObjectAtDepth.removeLast()
        bytes.append(UInt8(ascii: "]"))
        afterValue()
    }

    /// The name of the member whose value comes next. Naming one twice is not noticed here.
    public mutating func key(_ name: String) {
        precondition(place == .firstKey || place == .nextKey, "a name stands where no member is due")
        if place == .nextKey { bytes.append(UInt8(ascii: ",")) }
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        place = .memberValue
    }

    public mutating func string(_ text: String) {
        beforeValue()
        quote(text)
        afterValue()
    }

    public mutating func integer(_ number: some FixedWidthInteger) {
        beforeValue()
        appendDecimal(number)
        afterValue()
    }

    public mutating func bool(_ value: Bool) { word(value ? "true" : "false") }

    public mutating func null() { word("null") }

    /// The shortest spelling that reads back as the same double. What JSON cannot spell (infinity, not a number) is
    /// written as null, as every browser does.
    public mutating func double(_ number: Double) {
        guard number.isFinite else { return null() }
        beforeValue()
        bytes.append(contentsOf: number.description.utf8)
        afterValue()
    }

    /// Bytes as unpadded base64url text.
    public mutating func base64(_ content: [UInt8]) {
        beforeValue()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: Base64.encode(content, .url).utf8)
        bytes.append(UInt8(ascii: "\""))
        afterValue()
    }

    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .double(let value): double(value)
        case .string(let value): string(value)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members {
                key(member.key)
                self.value(member.value)
            }
            endObject()
        }
    }

    private mutating func word(_ word: StaticString) {
        beforeValue()
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        afterValue()
    }

    private mutating func beforeValue() {
        switch place {
        case .document, .memberValue, .firstElement: break
        case .nextElement: bytes.append(UInt8(ascii: ","))
        case .firstKey, .nextKey: preconditionFailure("a value stands where a name is due")
        case .finished: preconditionFailure("a JSON text holds one value")
        }
    }

    private mutating func afterValue() {
        guard let isObject = isObjectAtDepth.last else { return place = .finished }
        place = isObject ? .nextKey : .nextElement
    }

    private mutating func appendDecimal(_ number: some FixedWidthInteger) {
        // Digits come out backwards, so they are collected at the end of a buffer that any 64-bit number fits.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = UInt64(number.magnitude)
            var first = 20
            repeat {
                first -= 1
                digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if number < 0 { bytes.append(UInt8(ascii: "-")) }
            bytes.append(contentsOf: digits[first...])
        }
    }

    /// Runs that need no escape are copied whole.
    private mutating func quote(_ text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { source in
            var copied = 0
            for position in source.indices {
                let byte = source[position]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
                bytes.append(contentsOf: source[copied..<position])
                escape(byte)
                copied = position + 1
            }
            bytes.append(contentsOf: source[copied...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0a: bytes.append(UInt8(ascii: "n"))
        case 0x0c: bytes.append(UInt8(ascii: "f"))
        case 0x0d: bytes.append(UInt8(ascii: "r"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(contentsOf: Hex.encode([byte]).utf8)
        }
    }
}
