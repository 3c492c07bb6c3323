public import DaleksCore

/// Arrays, which make one statement out of a thousand rows:
/// `INSERT INTO entry (parent, name) SELECT * FROM unnest($1::bytea[], $2::bytea[])`.
extension PostgresValue {
    public static func integers(_ values: some Collection<Int64>) -> PostgresValue {
        array(PostgresType.int8Array, of: PostgresType.int8, values) { $1.appendInteger($0) }
    }
    public static func optionalIntegers(_ values: some Collection<Int64?>) -> PostgresValue {
        optionalArray(PostgresType.int8Array, of: PostgresType.int8, values) { $1.appendInteger($0) }
    }
    public static func reals(_ values: some Collection<Double>) -> PostgresValue {
        array(PostgresType.float8Array, of: PostgresType.float8, values) { $1.appendInteger($0.bitPattern) }
    }
    public static func bools(_ values: some Collection<Bool>) -> PostgresValue {
        array(PostgresType.boolArray, of: PostgresType.bool, values) { $1.append($0 ? 1 : 0) }
    }
    public static func optionalBools(_ values: some Collection<Bool?>) -> PostgresValue {
        optionalArray(PostgresType.boolArray, of: PostgresType.bool, values) { $1.append($0 ? 1 : 0) }
    }
    public static func texts(_ values: some Collection<String>) -> PostgresValue {
        array(PostgresType.textArray, of: PostgresType.text, values) { $1.append(contentsOf: $0.utf8) }
    }
    public static func optionalTexts(_ values: some Collection<String?>) -> PostgresValue {
        optionalArray(PostgresType.textArray, of: PostgresType.text, values) { $1.append(contentsOf: $0.utf8) }
    }
    public static func blobs(_ values: some Collection<[UInt8]>) -> PostgresValue {
        array(PostgresType.byteaArray, of: PostgresType.bytea, values) { $1.append(contentsOf: $0) }
    }
    public static func optionalBlobs(_ values: some Collection<[UInt8]?>) -> PostgresValue {
        optionalArray(PostgresType.byteaArray, of: PostgresType.bytea, values) { $1.append(contentsOf: $0) }
    }
    public static func ids<Kind>(_ values: some Collection<Identifier<Kind>>) -> PostgresValue {
        array(PostgresType.byteaArray, of: PostgresType.bytea, values) { value, bytes in
            bytes.appendInteger(value.high)
            bytes.appendInteger(value.low)
        }
    }
    public static func names(_ values: some Collection<Name>) -> PostgresValue {
        array(PostgresType.byteaArray, of: PostgresType.bytea, values) { $1.append(contentsOf: $0.bytes) }
    }
    public static func digests(_ values: some Collection<Digest>) -> PostgresValue {
        array(PostgresType.byteaArray, of: PostgresType.bytea, values) { $1.append(contentsOf: $0.bytes) }
    }
    public static func times(_ values: some Collection<Timestamp>) -> PostgresValue {
        array(PostgresType.int8Array, of: PostgresType.int8, values) { $1.appendInteger($0.nanoseconds) }
    }

    private static func array<Values: Collection>(
        _ type: UInt32,
        of element: UInt32,
        _ values: Values,
        _ append: (Values.Element, inout [UInt8]) -> Void
    ) -> PostgresValue {
        var bytes = header(count: values.count, hasNull: false, of: element)
        for value in values { appendElement(value, to: &bytes, append) }
        return PostgresValue(.encoded(type: type, bytes: bytes))
    }

    private static func optionalArray<Value, Values: Collection>(
        _ type: UInt32,
        of element: UInt32,
        _ values: Values,
        _ append: (Value, inout [UInt8]) -> Void
    ) -> PostgresValue where Values.Element == Value? {
        var bytes = header(count: values.count, hasNull: values.contains { $0 == nil }, of: element)
        for value in values {
            if let value {
                appendElement(value, to: &bytes, append)
            } else {
                bytes.appendInteger(Int32(-1))
            }
        }
        return PostgresValue(.encoded(type: type, bytes: bytes))
    }

    /// Dimensions, whether a NULL is among the elements, their type; then for the one dimension its size and first
    /// index.
    private static func header(count: Int, hasNull: Bool, of element: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + count * 12)
        bytes.appendInteger(Int32(count == 0 ? 0 : 1))
        bytes.appendInteger(Int32(hasNull ? 1 : 0))
        bytes.appendInteger(element)
        guard count > 0 else { return bytes }
        bytes.appendInteger(Int32(clamping: count))
        bytes.appendInteger(Int32(1))
        return bytes
    }

    private static func appendElement<Value>(
        _ value: Value,
        to bytes: inout [UInt8],
        _ append: (Value, inout [UInt8]) -> Void
    ) {
        let start = bytes.count
        bytes.appendInteger(Int32(0))
        append(value, &bytes)
        // The length goes in front and is known only now.
        let length = UInt32(clamping: bytes.count - start - 4)
        for position in 0..<4 {
            bytes[start + position] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * position))
        }
    }
}

extension [UInt8] {
    /// Most significant byte first, as all of the protocol.
    mutating func appendInteger(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
