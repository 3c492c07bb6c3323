public import DaleksCore
import DaleksSystem

/// One row of an answer. Columns count from zero; readers throw where a column is NULL or of another type.
public struct PostgresRow: Sendable {
    let rows: PostgresRows
    let index: Int

    public func isNull(_ column: Int) -> Bool { rows.isNull(row: index, column: column) }

    public var columnCount: Int { rows.columnCount }

    /// Which of the readers below fits, for who does not know the statement.
    public enum Kind: Sendable, Hashable {
        case integer, bool, real, text, bytes, other
    }

    public func kind(_ column: Int) -> Kind {
        precondition((0..<rows.columnCount).contains(column), "the answer has \(rows.columnCount) columns")
        return switch rows.type(ofColumn: column) {
        case PostgresType.int8, PostgresType.int4, PostgresType.int2, PostgresType.oid: .integer
        case PostgresType.bool: .bool
        case PostgresType.float8, PostgresType.float4: .real
        case PostgresType.bytea: .bytes
        case PostgresType.text, PostgresType.varchar, PostgresType.char, PostgresType.name, PostgresType.unknown: .text
        default: .other
        }
    }

    /// Any of the server's integers.
    public func int64(_ column: Int) throws(PostgresError) -> Int64 {
        let (type, bytes) = try value(column)
        guard let integer = Self.integer(type, bytes) else { throw unexpected(column, "an integer") }
        return integer
    }

    public func bool(_ column: Int) throws(PostgresError) -> Bool {
        let (type, bytes) = try value(column)
        guard type == PostgresType.bool, bytes.count == 1 else { throw unexpected(column, "a boolean") }
        return bytes[0] != 0
    }

    public func double(_ column: Int) throws(PostgresError) -> Double {
        let (type, bytes) = try value(column)
        switch (type, bytes.count) {
        case (PostgresType.float8, 8):
            return Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
        case (PostgresType.float4, 4):
            return Double(Float(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))))
        default: throw unexpected(column, "floating point")
        }
    }

    public func text(_ column: Int) throws(PostgresError) -> String {
        let (type, bytes) = try value(column)
        switch type {
        case PostgresType.text, PostgresType.varchar, PostgresType.char, PostgresType.name, PostgresType.json,
            PostgresType.unknown:
            return String(decoding: bytes, as: UTF8.self)
        default: throw unexpected(column, "text")
        }
    }

    /// bytea.
    public func blob(_ column: Int) throws(PostgresError) -> [UInt8] {
        try withBlob(column) { Array($0) }
    }

    /// bytea without a copy; the bytes are there during the call only.
    public func withBlob<Result>(
        _ column: Int,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(PostgresError) -> Result {
        let (type, bytes) = try value(column)
        guard type == PostgresType.bytea else { throw unexpected(column, "bytea") }
        return body(bytes)
    }

    public func identifier<Kind>(_ column: Int) throws(PostgresError) -> Identifier<Kind> {
        guard let identifier = try withBlob(column, { Identifier<Kind>(bytes: $0) }) else {
            throw unexpected(column, "an identifier of 16 bytes")
        }
        return identifier
    }

    public func digest(_ column: Int) throws(PostgresError) -> Digest {
        guard let digest = try withBlob(column, { Digest(bytes: $0) }) else {
            throw unexpected(column, "a digest of 32 bytes")
        }
        return digest
    }

    public func name(_ column: Int) throws(PostgresError) -> Name {
        guard let name = try withBlob(column, { try? Name($0) }) else { throw unexpected(column, "a name") }
        return name
    }

    /// int8 nanoseconds.
    public func timestamp(_ column: Int) throws(PostgresError) -> Timestamp {
        Timestamp(nanoseconds: try int64(column))
    }

    /// Nil where the column is NULL, and what `read` makes of it otherwise: `row.optional(2, row.int64)`.
    public func optional<Value>(
        _ column: Int,
        _ read: (Int) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value? {
        isNull(column) ? nil : try read(column)
    }

    static func integer(_ type: UInt32, _ bytes: UnsafeRawBufferPointer) -> Int64? {
        switch (type, bytes.count) {
        case (PostgresType.int8, 8): Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        case (PostgresType.int4, 4): Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case (PostgresType.int2, 2): Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        case (PostgresType.oid, 4): Int64(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        default: nil
        }
    }

    func value(_ column: Int) throws(PostgresError) -> (type: UInt32, bytes: UnsafeRawBufferPointer) {
        precondition((0..<rows.columnCount).contains(column), "the answer has \(rows.columnCount) columns")
        guard !isNull(column) else { throw unexpected(column, "a value and not NULL") }
        return (rows.type(ofColumn: column), rows.bytes(row: index, column: column))
    }

    func unexpected(_ column: Int, _ wanted: String) -> PostgresError {
        let found = isNull(column) ? "NULL" : PostgresType.describe(rows.type(ofColumn: column))
        return PostgresError(.unexpectedType, "column \(column) is \(found); \(wanted) was expected", sql: rows.sql)
    }
}
