import CSQLite
public import DaleksCore

/// The row that a statement stands on. Columns count from 0.
///
/// Reading is strict: a column that holds another type than was asked for, or NULL where a value was, is a mismatch and
/// never quietly zero. Nothing here allocates but what returns a `String`, an array or a `Name`.
public struct Row: ~Copyable {
    let statement: PreparedStatement

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of this value.
    deinit {}

    public var columnCount: Int { Int(sqlite3_column_count(statement.raw)) }

    public borrowing func isNull(_ column: Int) -> Bool {
        sqlite3_column_type(statement.raw, Int32(column)) == SQLITE_NULL
    }

    public borrowing func int64(_ column: Int) throws(SQLiteError) -> Int64 {
        try expect(SQLITE_INTEGER, column)
        return sqlite3_column_int64(statement.raw, Int32(column))
    }

    public borrowing func int(_ column: Int) throws(SQLiteError) -> Int { Int(try int64(column)) }

    /// 0 or 1.
    public borrowing func bool(_ column: Int) throws(SQLiteError) -> Bool {
        switch try int64(column) {
        case 0: return false
        case 1: return true
        default: throw mismatch(column)
        }
    }

    public borrowing func double(_ column: Int) throws(SQLiteError) -> Double {
        let type = sqlite3_column_type(statement.raw, Int32(column))
        guard type == SQLITE_FLOAT || type == SQLITE_INTEGER else { throw mismatch(column) }
        return sqlite3_column_double(statement.raw, Int32(column))
    }

    public borrowing func text(_ column: Int) throws(SQLiteError) -> String {
        try expect(SQLITE_TEXT, column)
        guard let start = sqlite3_column_text(statement.raw, Int32(column)) else { throw mismatch(column) }
        let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement.raw, Int32(column))))
        guard let text = String(validating: bytes, as: UTF8.self) else { throw mismatch(column) }
        return text
    }

    public borrowing func blob(_ column: Int) throws(SQLiteError) -> [UInt8] {
        try expect(SQLITE_BLOB, column)
        return Array(bytes(column))
    }

    /// The blob where SQLite keeps it: valid until the closure returns.
    public borrowing func withBlob<Result, Failure: Error>(
        _ column: Int,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws -> Result {
        try expect(SQLITE_BLOB, column)
        return try body(bytes(column))
    }

    public borrowing func identifier<Kind>(_ column: Int) throws(SQLiteError) -> Identifier<Kind> {
        try expect(SQLITE_BLOB, column)
        let bytes = bytes(column)
        guard bytes.count == 16 else { throw mismatch(column) }
        return Identifier(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        )
    }

    public borrowing func digest(_ column: Int) throws(SQLiteError) -> Digest {
        try expect(SQLITE_BLOB, column)
        guard let digest = Digest(rawBytes: bytes(column)) else { throw mismatch(column) }
        return digest
    }

    public borrowing func name(_ column: Int) throws(SQLiteError) -> Name {
        try expect(SQLITE_BLOB, column)
        do throws(Name.Refusal) { return try Name(bytes(column)) } catch { throw mismatch(column) }
    }

    public borrowing func timestamp(_ column: Int) throws(SQLiteError) -> Timestamp {
        Timestamp(nanoseconds: try int64(column))
    }

    public borrowing func value(_ column: Int) throws(SQLiteError) -> Value {
        switch sqlite3_column_type(statement.raw, Int32(column)) {
        case SQLITE_INTEGER: .integer(try int64(column))
        case SQLITE_FLOAT: .real(try double(column))
        case SQLITE_TEXT: .text(try text(column))
        case SQLITE_BLOB: .blob(try blob(column))
        default: .null
        }
    }

    private borrowing func bytes(_ column: Int) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(statement.raw, Int32(column))
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement.raw, Int32(column))))
    }

    private borrowing func expect(_ type: Int32, _ column: Int) throws(SQLiteError) {
        guard sqlite3_column_type(statement.raw, Int32(column)) == type else { throw mismatch(column) }
    }

    private borrowing func mismatch(_ column: Int) -> SQLiteError {
        SQLiteError(.mismatch, "column \(column) does not hold what was asked for", sql: statement.sql.text)
    }
}

extension Row {
    public borrowing func optionalInt64(_ column: Int) throws(SQLiteError) -> Int64? {
        isNull(column) ? nil : try int64(column)
    }

    public borrowing func optionalInt(_ column: Int) throws(SQLiteError) -> Int? {
        isNull(column) ? nil : try int(column)
    }

    public borrowing func optionalDouble(_ column: Int) throws(SQLiteError) -> Double? {
        isNull(column) ? nil : try double(column)
    }

    public borrowing func optionalText(_ column: Int) throws(SQLiteError) -> String? {
        isNull(column) ? nil : try text(column)
    }

    public borrowing func optionalBlob(_ column: Int) throws(SQLiteError) -> [UInt8]? {
        isNull(column) ? nil : try blob(column)
    }

    public borrowing func optionalIdentifier<Kind>(_ column: Int) throws(SQLiteError) -> Identifier<Kind>? {
        isNull(column) ? nil : try identifier(column)
    }

    public borrowing func optionalDigest(_ column: Int) throws(SQLiteError) -> Digest? {
        isNull(column) ? nil : try digest(column)
    }

    public borrowing func optionalName(_ column: Int) throws(SQLiteError) -> Name? {
        isNull(column) ? nil : try name(column)
    }

    public borrowing func optionalTimestamp(_ column: Int) throws(SQLiteError) -> Timestamp? {
        isNull(column) ? nil : try timestamp(column)
    }
}
