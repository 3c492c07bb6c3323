import DaleksCore
public import DaleksHTTP
import DaleksPostgres
import DaleksSQLite
public import DaleksSystem

/// What the outside hears when a database fails. The log hears the rest.
public struct DatabaseFailure: Sendable {
    /// How answers call what failed: `the region`, `the service`.
    private let subject: String

    public init(of subject: String) { self.subject = subject }

    /// For what a database's closures throw: an error of our own passes, the database's own is translated, and what
    /// nobody expects is an internal error.
    public func apiError(_ error: any Error, _ logger: Logger) -> APIError {
        switch error {
        case let error as APIError: return error
        case let error as SQLiteError:
            logger.error("the database failed", ["error": error])
            return apiError(error.code)
        case let error as PostgresError:
            logger.error("the database failed", ["error": error])
            return apiError(error.code)
        default:
            logger.error("an unexpected failure", ["error": "\(error)"])
            return unexplained
        }
    }

    private var unexplained: APIError { .internalError("\(subject) failed to answer; its log has the reason") }
    private var broken: APIError { .unavailable("\(subject)'s storage does not work now", retryAfterSeconds: 30) }

    private func apiError(_ code: SQLiteError.Code) -> APIError {
        switch code {
        case .busy, .interrupted: .unavailable("\(subject) is busy")
        case .closed: .unavailable("\(subject) is stopping")
        case .full: .unavailable("\(subject)'s disk is full", retryAfterSeconds: 60)
        case .readOnly, .cannotOpen, .ioError, .noMemory: broken
        case .corrupt, .notADatabase, .foreign, .migration, .constraint, .mismatch, .tooBig, .misuse, .other:
            unexplained
        }
    }

    private func apiError(_ code: PostgresError.Code) -> APIError {
        switch code {
        case .poolExhausted, .timedOut, .serializationFailure, .deadlock, .lockNotAvailable, .stalePlan:
            .unavailable("\(subject) is busy")
        case .closed: .unavailable("\(subject) is stopping")
        // Whoever asks again finds out what became of his work: what changes something can be asked twice.
        case .cannotConnect, .connectionLost: .unavailable("\(subject) cannot reach its database", retryAfterSeconds: 5)
        case .insufficientResources, .readOnly, .authenticationFailed: broken
        // A text with a NUL, which SQLite would have taken and found nowhere.
        case .invalidValue: .invalid("a value holds what cannot be stored")
        case .malformedURL, .uniqueViolation, .foreignKeyViolation, .notNullViolation, .checkViolation,
            .exclusionViolation, .tooLarge, .unexpectedType, .migrationRefused, .other:
            unexplained
        }
    }
}
