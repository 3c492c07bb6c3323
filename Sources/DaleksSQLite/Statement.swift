public import DaleksCore

/// A compiled statement in the hands of one closure: bind, step, read columns, reset, again.
///
/// Parameters count from 1, as `?1` in the text does; columns count from 0. Binding up to 512 bytes in all and reading
/// integers, identifiers and digests allocates nothing. After the closure the statement goes back to the cache, reset.
public struct Statement: ~Copyable {
    let prepared: PreparedStatement
    let handle: Handle

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of this value.
    deinit {}

    /// Runs on to the next row; false at the end.
    public borrowing func step() throws(SQLiteError) -> Bool { try prepared.step(on: handle) }

    /// Ready to be bound and run again. What was bound is forgotten.
    public borrowing func reset() { prepared.reset() }

    /// Runs a statement that gives no rows, and makes it ready for the next values; the count of changed rows.
    @discardableResult
    public borrowing func run() throws(SQLiteError) -> Int {
        defer { prepared.reset() }
        guard try prepared.step(on: handle) else { return handle.changes }
        throw SQLiteError(.misuse, "a statement that gives rows was run as if it gave none", sql: prepared.sql.text)
    }
}

extension Statement {
    public borrowing func bind(_ number: Int64, at position: Int) throws(SQLiteError) {
        try prepared.bind(number, at: position)
    }

    public borrowing func bind(_ number: Int, at position: Int) throws(SQLiteError) {
        try prepared.bind(Int64(number), at: position)
    }

    public borrowing func bind(_ flag: Bool, at position: Int) throws(SQLiteError) {
        try prepared.bind(flag ? Int64(1) : 0, at: position)
    }

    public borrowing func bind(_ number: Double, at position: Int) throws(SQLiteError) {
        try prepared.bind(number, at: position)
    }

    public borrowing func bindNull(at position: Int) throws(SQLiteError) { try prepared.bindNull(at: position) }

    /// The bytes are copied before this returns.
    public borrowing func bind(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(SQLiteError) {
        try prepared.bind(bytes, isText: false, at: position)
    }

    public borrowing func bind(_ bytes: RawSpan, at position: Int) throws(SQLiteError) {
        let failure = bytes.withUnsafeBytes { prepared.failure(binding: $0, isText: false, at: position) }
        if let failure { throw failure }
    }

    public borrowing func bind(_ bytes: [UInt8], at position: Int) throws(SQLiteError) {
        let failure = bytes.withUnsafeBytes { prepared.failure(binding: $0, isText: false, at: position) }
        if let failure { throw failure }
    }

    public borrowing func bind(_ text: String, at position: Int) throws(SQLiteError) {
        var text = text
        let failure = text.withUTF8 { utf8 in
            prepared.failure(binding: UnsafeRawBufferPointer(utf8), isText: true, at: position)
        }
        if let failure { throw failure }
    }

    public borrowing func bind<Kind>(_ identifier: Identifier<Kind>, at position: Int) throws(SQLiteError) {
        // Big-endian words are the identifier's sixteen bytes, most significant first.
        let failure = withUnsafeBytes(of: (identifier.high.bigEndian, identifier.low.bigEndian)) { bytes in
            prepared.failure(binding: bytes, isText: false, at: position)
        }
        if let failure { throw failure }
    }

    public borrowing func bind(_ digest: Digest, at position: Int) throws(SQLiteError) {
        let failure = digest.withRawBytes { prepared.failure(binding: $0, isText: false, at: position) }
        if let failure { throw failure }
    }

    public borrowing func bind(_ name: Name, at position: Int) throws(SQLiteError) {
        try bind(name.bytes, at: position)
    }

    public borrowing func bind(_ time: Timestamp, at position: Int) throws(SQLiteError) {
        try prepared.bind(time.nanoseconds, at: position)
    }

    public borrowing func bind(_ value: Value, at position: Int) throws(SQLiteError) {
        switch value {
        case .null: try bindNull(at: position)
        case .integer(let number): try bind(number, at: position)
        case .real(let number): try bind(number, at: position)
        case .text(let text): try bind(text, at: position)
        case .blob(let bytes): try bind(bytes, at: position)
        }
    }

    /// All parameters, in order. Their count must be the statement's.
    public borrowing func bind(_ values: [Value]) throws(SQLiteError) {
        guard values.count == prepared.parameterCount else {
            let message = "\(values.count) values for \(prepared.parameterCount) parameters"
            throw SQLiteError(.misuse, message, sql: prepared.sql.text)
        }
        for (index, value) in values.enumerated() { try bind(value, at: index + 1) }
    }
}
