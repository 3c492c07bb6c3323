import DaleksCore
import DaleksHTTP
import DaleksPostgres
import DaleksSQLite
import DaleksSystem

/// What the outside hears when storage fails. The log hears the rest.
enum StorageFailure {
    static func apiError(_ error: any Error, _ logger: Logger) -> APIError {
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
            return .internalError("the service failed to answer; its log has the reason")
        }
    }

    private static func apiError(_ code: SQLiteError.Code) -> APIError {
        switch code {
        case .busy, .interrupted: .unavailable("the service is busy")
        case .closed: .unavailable("the service is stopping")
        case .full: .unavailable("the service's disk is full", retryAfterSeconds: 60)
        case .readOnly, .cannotOpen, .ioError, .noMemory:
            .unavailable("the service's storage does not work now", retryAfterSeconds: 30)
        case .corrupt, .notADatabase, .foreign, .migration, .constraint, .mismatch, .tooBig, .misuse, .other:
            .internalError("the service failed to answer; its log has the reason")
        }
    }

    private static func apiError(_ code: PostgresError.Code) -> APIError {
        switch code {
        case .poolExhausted, .timedOut, .serializationFailure, .deadlock, .lockNotAvailable:
            .unavailable("the service is busy")
        case .closed: .unavailable("the service is stopping")
        // A text with a NUL, which SQLite would have taken and found nowhere.
        case .invalidValue: .invalid("a value holds what cannot be stored")
        case .cannotConnect, .authenticationFailed, .connectionLost, .readOnly, .insufficientResources:
            .unavailable("the service's storage does not work now", retryAfterSeconds: 5)
        case .malformedURL, .uniqueViolation, .foreignKeyViolation, .notNullViolation, .checkViolation,
            .exclusionViolation, .stalePlan, .tooLarge, .unexpectedType, .migrationRefused, .other:
            .internalError("the service failed to answer; its log has the reason")
        }
    }
}
