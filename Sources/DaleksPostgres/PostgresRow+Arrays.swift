import DaleksCore

/// Arrays of one dimension. Those without `optional` throw where an element is NULL.
extension PostgresRow {
    public func int64s(_ column: Int) throws(PostgresError) -> [Int64] {
        try present(column, try optionalInt64s(column))
    }
    public func optionalInt64s(_ column: Int) throws(PostgresError) -> [Int64?] {
        try elements(column, "an array of integers") { PostgresRow.integer($0, $1) }
    }
    public func bools(_ column: Int) throws(PostgresError) -> [Bool] {
        try present(column, try optionalBools(column))
    }
    public func optionalBools(_ column: Int) throws(PostgresError) -> [Bool?] {
        try elements(column, "an array of booleans") { type, bytes in
            type == PostgresType.bool && bytes.count == 1 ? bytes[0] != 0 : nil
        }
    }
    public func doubles(_ column: Int) throws(PostgresError) -> [Double] {
        let values: [Double?] = try elements(column, "an array of floating point numbers") { type, bytes in
            guard type == PostgresType.float8, bytes.count == 8 else { return nil }
            return Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
        }
        return try present(column, values)
    }
    public func texts(_ column: Int) throws(PostgresError) -> [String] {
        try present(column, try optionalTexts(column))
    }
    public func optionalTexts(_ column: Int) throws(PostgresError) -> [String?] {
        try elements(column, "an array of texts") { type, bytes in
            guard type == PostgresType.text || type == PostgresType.varchar else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
    public func blobs(_ column: Int) throws(PostgresError) -> [[UInt8]] {
        try present(column, try optionalBlobs(column))
    }
    public func optionalBlobs(_ column: Int) throws(PostgresError) -> [[UInt8]?] {
        try elements(column, "an array of bytea") { $0 == PostgresType.bytea ? Array($1) : nil }
    }

    private func present<Value>(_ column: Int, _ values: [Value?]) throws(PostgresError) -> [Value] {
        let kept = values.compactMap { $0 }
        guard kept.count == values.count else { throw unexpected(column, "an array without NULL") }
        return kept
    }

    /// Reads the elements one by one; `read` returns nil for one that it cannot understand.
    private func elements<Value>(
        _ column: Int,
        _ wanted: String,
        _ read: (UInt32, UnsafeRawBufferPointer) -> Value?
    ) throws(PostgresError) -> [Value?] {
        var reader = ArrayReader(bytes: try value(column).bytes)
        guard let header = reader.header() else { throw unexpected(column, wanted) }
        var values: [Value?] = []
        values.reserveCapacity(header.count)
        for _ in 0..<header.count {
            switch reader.element() {
            case .null: values.append(nil)
            case .bytes(let bytes):
                guard let value = read(header.type, bytes) else { throw unexpected(column, wanted) }
                values.append(value)
            case .malformed: throw unexpected(column, wanted)
            }
        }
        return values
    }
}

/// Walks through an array as it came. It trusts no length before it is checked against what is there.
private struct ArrayReader {
    enum Element {
        case null
        case bytes(UnsafeRawBufferPointer)
        case malformed
    }

    private var rest: UnsafeRawBufferPointer

    init(bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func header() -> (type: UInt32, count: Int)? {
        guard let dimensions = integer(), integer() != nil, let type = integer() else { return nil }
        if dimensions == 0 { return (UInt32(bitPattern: type), 0) }
        // An element takes four bytes at least, so that a false count cannot make us reserve more than came.
        guard dimensions == 1, let count = integer(), integer() != nil, count >= 0, Int(count) <= rest.count / 4,
            count <= Limits.Postgres.elementCountMax
        else { return nil }
        return (UInt32(bitPattern: type), Int(count))
    }

    mutating func element() -> Element {
        guard let length = integer() else { return .malformed }
        if length == -1 { return .null }
        guard length >= 0, Int(length) <= rest.count else { return .malformed }
        let bytes = UnsafeRawBufferPointer(rebasing: rest[..<Int(length)])
        rest = UnsafeRawBufferPointer(rebasing: rest[Int(length)...])
        return .bytes(bytes)
    }

    private mutating func integer() -> Int32? {
        guard rest.count >= 4 else { return nil }
        let value = Int32(bigEndian: rest.loadUnaligned(as: Int32.self))
        rest = UnsafeRawBufferPointer(rebasing: rest[4...])
        return value
    }
}
