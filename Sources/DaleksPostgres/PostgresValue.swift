public import DaleksCore

/// A parameter of a statement, sent in binary and so never quoted, escaped or parsed.
///
/// The server is told the type that the case names. It converts between integers, and between texts, where a column
/// differs; what it cannot infer for a NULL (`$1 IS NULL`) needs a cast in the statement (`$1::int8 IS NULL`).
public struct PostgresValue: Hashable, Sendable {
    enum Storage: Hashable, Sendable {
        case null
        case bool(Bool)
        case int4(Int32)
        case int8(Int64)
        case float8(Double)
        case text(String)
        case bytes([UInt8])
        /// An array, in the form in which it travels.
        case encoded(type: UInt32, bytes: [UInt8])
    }

    let storage: Storage

    init(_ storage: Storage) { self.storage = storage }

    public static let null = PostgresValue(.null)
    public static func bool(_ value: Bool) -> PostgresValue { PostgresValue(.bool(value)) }
    /// int8.
    public static func integer(_ value: Int64) -> PostgresValue { PostgresValue(.int8(value)) }
    public static func integer(_ value: Int) -> PostgresValue { PostgresValue(.int8(Int64(value))) }
    /// int4, for functions that take nothing wider.
    public static func int4(_ value: Int32) -> PostgresValue { PostgresValue(.int4(value)) }
    /// float8.
    public static func real(_ value: Double) -> PostgresValue { PostgresValue(.float8(value)) }
    /// The server refuses a text that holds a NUL character.
    public static func text(_ value: String) -> PostgresValue { PostgresValue(.text(value)) }
    /// bytea.
    public static func blob(_ value: [UInt8]) -> PostgresValue { PostgresValue(.bytes(value)) }
    /// bytea of 16 bytes.
    public static func id<Kind>(_ value: Identifier<Kind>) -> PostgresValue { .blob(value.bytes) }
    /// bytea of 32 bytes.
    public static func digest(_ value: Digest) -> PostgresValue { .blob(value.bytes) }
    /// bytea: a name need not be text.
    public static func name(_ value: Name) -> PostgresValue { .blob(value.bytes) }
    /// int8 nanoseconds: the server's own timestamps hold microseconds only.
    public static func time(_ value: Timestamp) -> PostgresValue { .integer(value.nanoseconds) }

    /// NULL for nil, and `make` otherwise: `.optional(size) { .integer($0) }`.
    public static func optional<Value>(_ value: Value?, _ make: (Value) -> PostgresValue) -> PostgresValue {
        value.map(make) ?? .null
    }

    /// What the server is told; unspecified for NULL, which fits every type.
    var type: UInt32 {
        switch storage {
        case .null: PostgresType.unspecified
        case .bool: PostgresType.bool
        case .int4: PostgresType.int4
        case .int8: PostgresType.int8
        case .float8: PostgresType.float8
        case .text: PostgresType.text
        case .bytes: PostgresType.bytea
        case .encoded(let type, _): type
        }
    }
}

extension PostgresValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByNilLiteral
{
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(floatLiteral value: Double) { self = .real(value) }
    public init(nilLiteral: ()) { self = .null }
}

extension PostgresValue: CustomStringConvertible {
    /// The type only: a value must not reach a log by way of an interpolation.
    public var description: String {
        switch storage {
        case .null: "NULL"
        default: "(\(PostgresType.describe(type)))"
        }
    }
}
