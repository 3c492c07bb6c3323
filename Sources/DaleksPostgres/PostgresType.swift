/// The numbers by which PostgreSQL names its built-in types. They are part of its protocol and never change.
enum PostgresType {
    static let unspecified: UInt32 = 0
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let name: UInt32 = 19
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let oid: UInt32 = 26
    static let json: UInt32 = 114
    static let float4: UInt32 = 700
    static let float8: UInt32 = 701
    static let unknown: UInt32 = 705
    static let char: UInt32 = 1_042
    static let varchar: UInt32 = 1_043
    static let void: UInt32 = 2_278
    static let boolArray: UInt32 = 1_000
    static let byteaArray: UInt32 = 1_001
    static let int2Array: UInt32 = 1_005
    static let int4Array: UInt32 = 1_007
    static let textArray: UInt32 = 1_009
    static let varcharArray: UInt32 = 1_015
    static let int8Array: UInt32 = 1_016
    static let float8Array: UInt32 = 1_022

    /// For messages.
    static func describe(_ type: UInt32) -> String {
        switch type {
        case bool: "boolean"
        case bytea: "bytea"
        case int2, int4, int8: "an integer"
        case text, varchar, char, name, unknown: "text"
        case float4, float8: "floating point"
        case 1_700: "numeric (cast it to int8 or float8)"
        case 1_114, 1_184: "a timestamp (keep times as int8 nanoseconds)"
        case boolArray, byteaArray, int2Array, int4Array, textArray, varcharArray, int8Array, float8Array: "an array"
        default: "of type number \(type)"
        }
    }
}
