public import DaleksCore

/// The columns of the row that the statement stands on, as `Row` reads them.
extension Statement {
    /// The row itself, for code that reads rows wherever they come from.
    public var row: Row { Row(statement: prepared) }

    public var columnCount: Int { row.columnCount }

    public borrowing func isNull(_ column: Int) -> Bool { row.isNull(column) }
    public borrowing func int64(_ column: Int) throws(SQLiteError) -> Int64 { try row.int64(column) }
    public borrowing func int(_ column: Int) throws(SQLiteError) -> Int { try row.int(column) }
    public borrowing func bool(_ column: Int) throws(SQLiteError) -> Bool { try row.bool(column) }
    public borrowing func double(_ column: Int) throws(SQLiteError) -> Double { try row.double(column) }
    public borrowing func text(_ column: Int) throws(SQLiteError) -> String { try row.text(column) }
    public borrowing func blob(_ column: Int) throws(SQLiteError) -> [UInt8] { try row.blob(column) }
    public borrowing func digest(_ column: Int) throws(SQLiteError) -> Digest { try row.digest(column) }
    public borrowing func name(_ column: Int) throws(SQLiteError) -> Name { try row.name(column) }
    public borrowing func timestamp(_ column: Int) throws(SQLiteError) -> Timestamp { try row.timestamp(column) }
    public borrowing func value(_ column: Int) throws(SQLiteError) -> Value { try row.value(column) }
    public borrowing func optionalInt64(_ column: Int) throws(SQLiteError) -> Int64? { try row.optionalInt64(column) }
    public borrowing func optionalInt(_ column: Int) throws(SQLiteError) -> Int? { try row.optionalInt(column) }
    public borrowing func optionalDouble(_ column: Int) throws(SQLiteError) -> Double? {
        try row.optionalDouble(column)
    }
    public borrowing func optionalText(_ column: Int) throws(SQLiteError) -> String? { try row.optionalText(column) }
    public borrowing func optionalBlob(_ column: Int) throws(SQLiteError) -> [UInt8]? { try row.optionalBlob(column) }
    public borrowing func optionalDigest(_ column: Int) throws(SQLiteError) -> Digest? {
        try row.optionalDigest(column)
    }
    public borrowing func optionalName(_ column: Int) throws(SQLiteError) -> Name? { try row.optionalName(column) }
    public borrowing func optionalTimestamp(_ column: Int) throws(SQLiteError) -> Timestamp? {
        try row.optionalTimestamp(column)
    }

    public borrowing func identifier<Kind>(_ column: Int) throws(SQLiteError) -> Identifier<Kind> {
        try row.identifier(column)
    }

    public borrowing func optionalIdentifier<Kind>(_ column: Int) throws(SQLiteError) -> Identifier<Kind>? {
        try row.optionalIdentifier(column)
    }

    /// The blob where SQLite keeps it: valid until the closure returns.
    public borrowing func withBlob<Result, Failure: Error>(
        _ column: Int,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws -> Result {
        try row.withBlob(column, body)
    }
}
