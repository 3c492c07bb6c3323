public import DaleksCore

/// A value together with the way that led to it, so that what is wrong can be said where it is wrong.
///
/// The plain forms throw when a member is missing or null; the `optional` forms answer nil then, and still throw when
/// it is something else than what was asked for.
public struct JSONReader: Sendable {
    public let value: JSONValue
    private let place: JSONPath

    public var path: String { place.description }

    public init(_ value: JSONValue, path: String = "$") {
        self.init(value, at: .root(path))
    }

    init(_ value: JSONValue, at place: JSONPath) {
        self.value = value
        self.place = place
    }

    // MARK: The value itself

    public func objectValue() throws(JSONError) -> JSONObject {
        guard case .object(let object) = value else { throw mismatch("an object") }
        return object
    }

    public func stringValue(bytesMax: Int = .max) throws(JSONError) -> String {
        guard case .string(let text) = value else { throw mismatch("a string") }
        guard text.utf8.count <= bytesMax else { throw failure("is longer than \(bytesMax) bytes") }
        return text
    }

    public func integerValue<Integer: FixedWidthInteger>(
        in range: ClosedRange<Integer> = Integer.min...Integer.max
    ) throws(JSONError) -> Integer {
        guard case .integer(let wide) = value else { throw mismatch("an integer") }
        guard let number = Integer(exactly: wide), range.contains(number) else {
            throw failure("is not within \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }

    /// Integers are doubles too.
    public func doubleValue() throws(JSONError) -> Double {
        switch value {
        case .double(let number): number
        case .integer(let number): Double(number)
        default: throw mismatch("a number")
        }
    }

    public func boolValue() throws(JSONError) -> Bool {
        guard case .bool(let claim) = value else { throw mismatch("a boolean") }
        return claim
    }

    /// Bytes from unpadded base64url text.
    public func bytesValue(countMax: Int = .max) throws(JSONError) -> [UInt8] {
        let text = try stringValue()
        guard text.utf8.count / 4 * 3 <= countMax, let bytes = Base64.decode(text, .url), bytes.count <= countMax else {
            throw failure("is not base64url text of up to \(countMax) bytes")
        }
        return bytes
    }

    public func identifierValue<Kind>() throws(JSONError) -> Identifier<Kind> {
        guard let identifier = Identifier<Kind>(try stringValue()) else {
            throw failure("is not an identifier of 32 hexadecimal digits")
        }
        return identifier
    }

    public func digestValue() throws(JSONError) -> Digest {
        guard let digest = Digest(try stringValue()) else {
            throw failure("is not a digest of 64 hexadecimal digits")
        }
        return digest
    }

    public func arrayValue(countMax: Int = .max) throws(JSONError) -> [JSONReader] {
        guard case .array(let elements) = value else { throw mismatch("an array") }
        guard elements.count <= countMax else { throw failure("has more than \(countMax) elements") }
        return elements.indices.map { JSONReader(elements[$0], at: place.element($0)) }
    }

    public func decode<Decoded: JSONDecodable>(_ type: Decoded.Type = Decoded.self) throws(JSONError) -> Decoded {
        do {
            return try Decoded(json: value)
        } catch {
            throw error.under(path)
        }
    }

    // MARK: Members

    /// The member, or nil where it is missing or null.
    public func optional(_ key: String) throws(JSONError) -> JSONReader? {
        guard let member = try objectValue()[key], member != .null else { return nil }
        return JSONReader(member, at: place.member(key))
    }

    public func member(_ key: String) throws(JSONError) -> JSONReader {
        guard let member = try optional(key) else {
            throw JSONError(message: "is missing", path: place.member(key).description)
        }
        return member
    }

    /// Refuses members that this reader does not know, so that a misspelt or newer one is not silently ignored.
    public func refuseMembers(otherThan known: Set<String>) throws(JSONError) {
        for key in try objectValue().keys where !known.contains(key) {
            throw JSONError(message: "is not known here", path: place.member(key).description)
        }
    }

    /// An error about this very value, for checks that only the caller can make.
    public func failure(_ message: String) -> JSONError { JSONError(message: message, path: path) }

    private func mismatch(_ wanted: String) -> JSONError { failure("is \(value.kind) and must be \(wanted)") }
}
