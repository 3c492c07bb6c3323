import CSQLite

extension SQLiteError {
    /// When SQLite spoke: while reading the text of a statement, or while running it with values.
    enum Moment {
        case preparing, running
    }

    /// What the last call on this connection returned.
    init(result: Int32, on database: OpaquePointer?, _ moment: Moment, sql: SQL? = nil, doing: String? = nil) {
        // An SQL error is ours while preparing; while running it is the doing of a value (a bad JSON path).
        let code = moment == .running && result & 0xff == SQLITE_ERROR ? .other : Code(result: result)
        var message = Self.message(result: result, code: code, on: database, moment)
        if let doing { message = "\(doing): \(message)" }
        self.init(code, message, extendedCode: result, sql: sql?.text)
    }

    private static func message(result: Int32, code: Code, on database: OpaquePointer?, _ moment: Moment) -> String {
        if let database, quotesNoValue(code, moment), let text = sqlite3_errmsg(database) {
            return String(cString: text)
        }
        guard let text = sqlite3_errstr(result) else { return "error \(result)" }
        return String(cString: text)
    }

    /// A statement's text holds no value, and what SQLite says of a broken constraint names tables and columns only.
    /// Anything else said while a statement runs (a bad JSON path, a full-text query) may quote what was bound.
    private static func quotesNoValue(_ code: Code, _ moment: Moment) -> Bool {
        switch (moment, code) {
        case (.preparing, _): true
        case (.running, .constraint(.unique)), (.running, .constraint(.primaryKey)), (.running, .constraint(.notNull)),
            (.running, .constraint(.check)), (.running, .constraint(.foreignKey)), (.running, .constraint(.dataType)):
            true
        case (.running, _): false
        }
    }
}

extension SQLiteError.Code {
    /// The one table from SQLite's result codes. The compiler cannot know when C's numbers are complete; what a later
    /// SQLite adds is `other`.
    init(result: Int32) {
        switch result & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED: self = .busy
        case SQLITE_FULL: self = .full
        case SQLITE_CORRUPT: self = .corrupt
        case SQLITE_NOTADB, SQLITE_FORMAT: self = .notADatabase
        case SQLITE_CONSTRAINT: self = .constraint(SQLiteError.Constraint(result: result))
        case SQLITE_READONLY: self = .readOnly
        case SQLITE_CANTOPEN, SQLITE_PERM: self = .cannotOpen
        case SQLITE_IOERR, SQLITE_PROTOCOL, SQLITE_NOLFS: self = .ioError
        case SQLITE_INTERRUPT, SQLITE_ABORT: self = .interrupted
        case SQLITE_MISMATCH: self = .mismatch
        case SQLITE_TOOBIG: self = .tooBig
        case SQLITE_NOMEM: self = .noMemory
        case SQLITE_MISUSE, SQLITE_RANGE, SQLITE_AUTH, SQLITE_ERROR: self = .misuse
        default: self = .other
        }
    }
}

extension SQLiteError.Constraint {
    init(result: Int32) {
        switch result >> 8 {
        case 8: self = .unique
        case 6, 10: self = .primaryKey
        case 3: self = .foreignKey
        case 5: self = .notNull
        case 1: self = .check
        case 7: self = .trigger
        case 12: self = .dataType
        default: self = .other
        }
    }
}

extension SQLiteError {
    /// True when the kernel refused to make bytes durable. What it has dropped then it will not mention again, so that
    /// a later barrier which succeeds proves nothing.
    var isFailedBarrier: Bool {
        extendedCode == SQLITE_IOERR | (4 << 8) || extendedCode == SQLITE_IOERR | (5 << 8)
    }
}
