import DaleksCore

/// A statement's values in the form that libpq wants: one block of bytes, and where in it each value lies.
struct Parameters {
    private var bytes: [UInt8] = []
    /// -1 for NULL.
    private var offsets: [Int] = []
    private var lengths: [Int32] = []
    let types: [UInt32]

    init(_ values: [PostgresValue], sql: String) throws(PostgresError) {
        guard values.count <= Limits.Postgres.parameterCountMax else {
            throw PostgresError(.tooLarge, "the statement has \(values.count) parameters", sql: sql)
        }
        types = values.map(\.type)
        offsets.reserveCapacity(values.count)
        lengths.reserveCapacity(values.count)
        for value in values { append(value) }
        guard bytes.count <= Limits.Postgres.parameterBytesMax else {
            throw PostgresError(.tooLarge, "the statement's parameters have \(bytes.count) bytes in all", sql: sql)
        }
        // An empty value still needs an address that is not NULL.
        bytes.append(0)
    }

    private mutating func append(_ value: PostgresValue) {
        let start = bytes.count
        switch value.storage {
        case .null:
            offsets.append(-1)
            lengths.append(0)
            return
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .int4(let value): bytes.appendInteger(value)
        case .int8(let value): bytes.appendInteger(value)
        case .float8(let value): bytes.appendInteger(value.bitPattern)
        case .text(let value): bytes.append(contentsOf: value.utf8)
        case .bytes(let value), .encoded(_, let value): bytes.append(contentsOf: value)
        }
        offsets.append(start)
        lengths.append(Int32(clamping: bytes.count - start))
    }

    /// Count, addresses, lengths and formats (binary all) as libpq's calls take them.
    func withPointers<Result>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
    ) -> Result {
        bytes.withUnsafeBytes { block in
            let base = block.assumingMemoryBound(to: CChar.self).baseAddress
            let addresses = offsets.map { offset in offset < 0 ? nil : base.map { $0 + offset } }
            let formats = [Int32](repeating: 1, count: offsets.count)
            return body(Int32(offsets.count), addresses, lengths, formats)
        }
    }
}
