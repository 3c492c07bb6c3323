public import DaleksCore

/// What a column holds, and what is bound to a parameter.
public enum Value: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    public static func integer(_ number: Int) -> Value { .integer(Int64(number)) }
    public static func bool(_ flag: Bool) -> Value { .integer(flag ? 1 : 0) }
    public static func id<Kind>(_ identifier: Identifier<Kind>) -> Value { .blob(identifier.bytes) }
    public static func name(_ name: Name) -> Value { .blob(name.bytes) }
    public static func digest(_ digest: Digest) -> Value { .blob(digest.bytes) }
    /// Nanoseconds since 1970, which order and compare as integers.
    public static func time(_ time: Timestamp) -> Value { .integer(time.nanoseconds) }

    public static func optional(_ number: Int64?) -> Value { number.map { .integer($0) } ?? .null }
    public static func optional(_ text: String?) -> Value { text.map { .text($0) } ?? .null }
    public static func optional(_ bytes: [UInt8]?) -> Value { bytes.map { .blob($0) } ?? .null }
    public static func optional<Kind>(_ identifier: Identifier<Kind>?) -> Value { identifier.map { .id($0) } ?? .null }
    public static func optional(_ digest: Digest?) -> Value { digest.map { .digest($0) } ?? .null }
    public static func optional(_ time: Timestamp?) -> Value { time.map { .time($0) } ?? .null }
}

extension Value: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    public init(integerLiteral number: Int64) { self = .integer(number) }
    public init(stringLiteral text: String) { self = .text(text) }
    public init(nilLiteral: ()) { self = .null }
}
