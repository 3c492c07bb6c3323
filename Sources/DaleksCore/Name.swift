/// The name of an entry in a folder: bytes, as POSIX has them, not text.
public struct Name: Hashable, Sendable {
    public let bytes: [UInt8]

    public enum Refusal: Error, Equatable, Sendable {
        case empty
        case tooLong
        /// `.`, `..`, or a byte that no name may hold (`/`, NUL).
        case reserved
    }

    public init(_ bytes: some Collection<UInt8>) throws(Refusal) {
        // Copied first: byte by byte, a collection of unknown type costs more than the rest of a lookup.
        try self.init(checking: Array(bytes))
    }

    private init(checking bytes: [UInt8]) throws(Refusal) {
        guard let first = bytes.first else { throw .empty }
        guard bytes.count <= Limits.nameBytesMax else { throw .tooLong }
        let dot = UInt8(ascii: ".")
        if first == dot, bytes.count == 1 || bytes.count == 2 && bytes[1] == dot { throw .reserved }
        guard !bytes.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") }) else { throw .reserved }
        self.bytes = bytes
    }

    public init(_ text: some StringProtocol) throws(Refusal) {
        try self.init(Array(text.utf8))
    }

    /// The name as text, or nil where it is not UTF-8 (then it travels as base64).
    public var text: String? { String(validating: bytes, as: UTF8.self) }
}

extension Name: CustomStringConvertible {
    /// For people: control characters and what is not UTF-8 are escaped, so that a name cannot drive a terminal; and
    /// what looks like such an escape, so that no two names look the same.
    public var description: String {
        if let text, !text.contains("\\x"), !text.unicodeScalars.contains(where: Self.isControl) { return text }
        return bytes.reduce(into: "") { shown, byte in
            if (32..<127).contains(byte), byte != UInt8(ascii: "\\") {
                shown.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                shown += "\\x" + Hex.encode([byte])
            }
        }
    }
}

extension Name {
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 32 || (127..<160).contains(scalar.value)
    }
}

extension Name: Comparable {
    public static func < (left: Self, right: Self) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}
