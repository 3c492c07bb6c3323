/// What went wrong in a database, where, and in which statement.
///
/// The values bound to a statement are never in it: they are names of files and people. Messages that SQLite makes
/// while a statement runs may quote a value and are replaced by its constant sentences.
public struct SQLiteError: Error, Sendable, Equatable {
    /// What a caller can act on.
    public enum Code: Sendable, Hashable {
        /// Another writer kept the database for longer than the busy timeout.
        case busy
        /// The disk is full. The transaction is rolled back; the database is intact.
        case full
        /// The file is damaged, or torn.
        case corrupt
        /// The file is something else than a database.
        case notADatabase
        /// The file is a database, but another program's.
        case foreign
        /// What the file says was done to it and what this program knows do not match.
        case migration(Migration)
        case constraint(Constraint)
        case readOnly
        case cannotOpen
        case ioError
        case interrupted
        /// A column does not hold what the reader asked for, or a value is longer than the limit.
        case mismatch
        case tooBig
        case noMemory
        /// The database was closed.
        case closed
        /// The program used the database wrongly: SQL that does not parse, a wrong number of bindings.
        case misuse
        case other
    }

    public enum Constraint: Sendable, Hashable {
        case unique, primaryKey, foreignKey, notNull, check, trigger, dataType, other
    }

    public enum Migration: Sendable, Hashable {
        /// The text of a step that ran here was changed afterwards.
        case edited
        /// A step before the last one that ran here never ran, or the record of all steps is gone.
        case missing
        /// The database has had steps that this program does not know.
        case newer
        /// A step itself failed; nothing of it was kept.
        case failed
    }

    public let code: Code
    /// SQLite's extended result code, 0 where SQLite was not asked.
    public let extendedCode: Int32
    public let message: String
    /// The statement, with its parameters as `?`.
    public let sql: String?

    public init(_ code: Code, _ message: String, extendedCode: Int32 = 0, sql: String? = nil) {
        self.code = code
        self.extendedCode = extendedCode
        self.message = message
        self.sql = sql
    }
}

extension SQLiteError: CustomStringConvertible {
    public var description: String {
        var text = message
        if extendedCode != 0 { text += " (SQLite \(extendedCode))" }
        if let sql { text += " in: \(sql)" }
        return text
    }
}
