import CSQLite
import DaleksCore

/// A compiled statement and the memory that its bound bytes live in.
///
/// ## Concurrency
/// Belongs to one `Handle`, and so to whichever thread has that.
final class PreparedStatement {
    let raw: OpaquePointer
    let sql: SQL
    let parameterCount: Int
    let isReadOnly: Bool
    /// Guards against the same statement being stepped by two nested scopes: the inner one gets a copy of its own.
    var isInUse = false
    /// Whether what it does is taken down; the values bound to it then, and by which number the recorder knows it.
    var isRecorded = false
    private(set) var bound: [UInt8] = []
    private var hasStepped = false
    var recordedGroup: UInt64 = 0
    var recordedNumber: UInt32 = 0
    /// The cache's clock when it was last asked for.
    var lastUse: UInt64 = 0

    // SQLite is told that bytes in here stay put, which spares an allocation and a copy for each bound value.
    private let scratch = UnsafeMutableRawPointer.allocate(byteCount: Limits.SQLite.scratchBytes, alignment: 8)
    private var scratchUsed = 0

    /// Exactly one statement.
    init(_ sql: SQL, on database: OpaquePointer, isKept: Bool) throws(SQLiteError) {
        let (raw, result, rest) = sql.withUTF8 { Self.prepare($0, on: database, isKept: isKept) }
        guard result == SQLITE_OK else { throw SQLiteError(result: result, on: database, .preparing, sql: sql) }
        guard let raw else { throw SQLiteError(.misuse, "the text holds no statement", sql: sql.text) }
        guard rest == 0 else {
            sqlite3_finalize(raw)
            throw SQLiteError(.misuse, "the text holds more than one statement", sql: sql.text)
        }
        self.raw = raw
        self.sql = sql
        parameterCount = Int(sqlite3_bind_parameter_count(raw))
        isReadOnly = sqlite3_stmt_readonly(raw) != 0
    }

    deinit {
        sqlite3_finalize(raw)
        scratch.deallocate()
    }

    /// Compiles the first statement of a text; `rest` counts the bytes that follow it, blanks and semicolons apart.
    private static func prepare(
        _ text: UnsafeBufferPointer<UInt8>,
        on database: OpaquePointer,
        isKept: Bool
    ) -> (raw: OpaquePointer?, result: Int32, rest: Int) {
        guard text.count <= Limits.SQLite.statementBytesMax else { return (nil, SQLITE_TOOBIG, 0) }
        return text.withMemoryRebound(to: CChar.self) { characters in
            var raw: OpaquePointer?
            var tail: UnsafePointer<CChar>?
            let flags = UInt32(isKept ? SQLITE_PREPARE_PERSISTENT : 0)
            let count = Int32(characters.count)
            let result = sqlite3_prepare_v3(database, characters.baseAddress, count, flags, &raw, &tail)
            guard let tail, let start = characters.baseAddress else { return (raw, result, 0) }
            let rest = characters[(tail - start)...].drop { blanks.contains(UInt8(bitPattern: $0)) }
            return (raw, result, rest.count)
        }
    }

    private static let blanks: [UInt8] = [
        UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: ";"),
    ]

    /// Makes it ready to be bound and run again; values of the last run are forgotten.
    func reset() {
        // The result repeats what the last step already reported.
        sqlite3_reset(raw)
        if parameterCount > 0 { sqlite3_clear_bindings(raw) }
        scratchUsed = 0
        hasStepped = false
        if !bound.isEmpty { bound.removeAll(keepingCapacity: bound.count <= Limits.SQLite.scratchBytes) }
    }

    /// True when there is a row to read.
    func step(on handle: Handle) throws(SQLiteError) -> Bool {
        if let refusal = handle.refusal(of: self) { throw refusal }
        let result = sqlite3_step(raw)
        if isRecorded, !hasStepped, result == SQLITE_ROW || result == SQLITE_DONE {
            // One that gives rows has changed all that it will before the first of them.
            hasStepped = true
            handle.recorder?.note(self)
        }
        if result == SQLITE_ROW { return true }
        if result == SQLITE_DONE { return false }
        throw SQLiteError(result: result, on: handle.raw, .running, sql: sql)
    }

    func bind(_ bytes: UnsafeRawBufferPointer, isText: Bool, at position: Int) throws(SQLiteError) {
        if isRecorded { RecordedValue.append(bytes, isText: isText, at: position, to: &bound) }
        guard let start = bytes.baseAddress, bytes.count > 0 else {
            try bindEmpty(isText: isText, at: position)
            return
        }
        let count = UInt64(bytes.count)
        guard bytes.count <= Limits.SQLite.scratchBytes - scratchUsed else {
            let copied = isText ? daleks_sqlite_bind_text_copied : daleks_sqlite_bind_blob_copied
            try check(copied(raw, Int32(position), start, count), position)
            return
        }
        let kept = scratch + scratchUsed
        kept.copyMemory(from: start, byteCount: bytes.count)
        scratchUsed += bytes.count
        let bind = isText ? daleks_sqlite_bind_text_kept : daleks_sqlite_bind_blob_kept
        try check(bind(raw, Int32(position), kept, count), position)
    }

    /// The same for closures of the standard library, through which a typed error does not pass.
    func failure(binding bytes: UnsafeRawBufferPointer, isText: Bool, at position: Int) -> SQLiteError? {
        do throws(SQLiteError) {
            try bind(bytes, isText: isText, at: position)
            return nil
        } catch {
            return error
        }
    }

    /// No bytes are a value too: SQLite takes a null address for NULL.
    private func bindEmpty(isText: Bool, at position: Int) throws(SQLiteError) {
        let bind = isText ? daleks_sqlite_bind_text_kept : daleks_sqlite_bind_blob_kept
        try check(bind(raw, Int32(position), scratch, 0), position)
    }

    func bind(_ number: Int64, at position: Int) throws(SQLiteError) {
        if isRecorded { RecordedValue.append(number, at: position, to: &bound) }
        try check(sqlite3_bind_int64(raw, Int32(position), number), position)
    }

    func bind(_ number: Double, at position: Int) throws(SQLiteError) {
        if isRecorded { RecordedValue.append(number, at: position, to: &bound) }
        try check(sqlite3_bind_double(raw, Int32(position), number), position)
    }

    func bindNull(at position: Int) throws(SQLiteError) {
        try check(sqlite3_bind_null(raw, Int32(position)), position)
    }

    private func check(_ result: Int32, _ position: Int) throws(SQLiteError) {
        if result == SQLITE_OK { return }
        let code = SQLiteError.Code(result: result)
        throw SQLiteError(code, "cannot bind parameter \(position)", extendedCode: result, sql: sql.text)
    }
}
