/// What went wrong between us and PostgreSQL.
///
/// It carries the statement's text and never its values. PostgreSQL quotes values in the DETAIL of most errors and in
/// the message of some: the first is never read, and the second is replaced by a sentence of ours.
public struct PostgresError: Error, Hashable, Sendable {
    public enum Code: Hashable, Sendable {
        /// The URL cannot be read.
        case malformedURL
        /// No connection came about: nobody listens, the certificate is refused, there is no such database.
        case cannotConnect
        /// The server is there and refuses who we say we are.
        case authenticationFailed
        /// The connection broke while it was in use; `outcome` says what is known.
        case connectionLost
        /// Every connection was in use until the deadline.
        case poolExhausted
        /// The pool was closed.
        case closed
        /// The statement ran past its time and was canceled.
        case timedOut
        /// Others got in the way more often than attempts are allowed.
        case serializationFailure
        case deadlock
        case lockNotAvailable
        case uniqueViolation
        case foreignKeyViolation
        case notNullViolation
        case checkViolation
        case exclusionViolation
        /// The server refused a value: out of range, not UTF-8, too long.
        case invalidValue
        /// The server or this transaction may only read.
        case readOnly
        /// Disk full, out of memory, too many connections.
        case insufficientResources
        /// A prepared statement's tables changed under it. The pool prepares again by itself.
        case stalePlan
        /// Too many parameters or too many bytes, found before anything was sent.
        case tooLarge
        /// A column is not what the reader asked for.
        case unexpectedType
        /// The database's migrations are not a beginning of ours.
        case migrationRefused
        case other
    }

    /// What became of the work when the answer is an error.
    public enum Outcome: Hashable, Sendable {
        /// Nothing of the transaction (or of the statement outside one) took effect.
        case notApplied
        /// The connection broke while a commit was under way: it took effect or it did not.
        case unknown
    }

    public let code: Code
    /// The five characters by which PostgreSQL names the error; nil where the error is ours.
    public let sqlState: String?
    /// One sentence, fit for a log.
    public let message: String
    /// The constraint that was violated, by its name in our own migrations.
    public let constraint: String?
    /// The statement's text as the program wrote it.
    public let sql: String?
    public let outcome: Outcome

    public init(
        _ code: Code,
        _ message: String,
        sqlState: String? = nil,
        constraint: String? = nil,
        sql: String? = nil,
        outcome: Outcome = .notApplied
    ) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.constraint = constraint
        self.sql = sql
        self.outcome = outcome
    }

    /// Whether the same transaction, run again from its beginning, may well succeed.
    var isRetryable: Bool {
        switch code {
        case .serializationFailure, .deadlock, .stalePlan: outcome == .notApplied
        case .malformedURL, .cannotConnect, .authenticationFailed, .connectionLost, .poolExhausted, .closed, .timedOut,
            .lockNotAvailable, .uniqueViolation, .foreignKeyViolation, .notNullViolation, .checkViolation,
            .exclusionViolation, .invalidValue, .readOnly, .insufficientResources, .tooLarge, .unexpectedType,
            .migrationRefused, .other:
            false
        }
    }

    func with(outcome: Outcome) -> PostgresError {
        PostgresError(code, message, sqlState: sqlState, constraint: constraint, sql: sql, outcome: outcome)
    }
}

extension PostgresError: CustomStringConvertible {
    public var description: String {
        var text = message
        if let sqlState { text += " [\(sqlState)]" }
        if outcome == .unknown { text += "; whether it took effect is not known" }
        if let sql { text += "; while running: \(sql)" }
        return text
    }
}
