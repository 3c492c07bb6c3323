import DaleksHTTP
<<<<<<< HEAD
import DaleksService
=======
import DaleksPostgres
import DaleksSQLite
>>>>>>> storage-ready
import DaleksSystem

/// What the outside hears when storage fails. The log hears the rest.
enum StorageFailure {
    private static let database = DatabaseFailure(of: "the region")

    static func apiError(_ error: any Error, _ logger: Logger) -> APIError {
        switch error {
<<<<<<< HEAD
=======
        case let error as APIError: return error
        case let error as SQLiteError:
            logger.error("the database failed", ["error": error])
            return apiError(error.code)
        case let error as PostgresError:
            logger.error("the database failed", ["error": "\(error)"])
            return apiError(error.code)
>>>>>>> storage-ready
        case let error as ChunkStoreError:
            logger.error("the chunk store failed", ["error": "\(error)"])
            return apiError(error)
        case let error as RecordError:
            logger.error("a stored record is damaged", ["error": error])
            return .internalError("what the region stores about this is damaged; its operator has been told")
        default: return database.apiError(error, logger)
        }
    }

    private static func apiError(_ code: PostgresError.Code) -> APIError {
        switch code {
        case .serializationFailure, .deadlock, .lockNotAvailable, .poolExhausted, .timedOut:
            .unavailable("the region is busy")
        case .closed: .unavailable("the region is stopping")
        // Whether a commit that was cut off took effect, the device learns when it sends the batch again.
        case .cannotConnect, .connectionLost, .authenticationFailed, .insufficientResources, .readOnly, .malformedURL:
            .unavailable("the region's database does not answer now", retryAfterSeconds: 10)
        case .uniqueViolation, .foreignKeyViolation, .notNullViolation, .checkViolation, .exclusionViolation,
            .invalidValue, .stalePlan, .tooLarge, .unexpectedType, .migrationRefused, .other:
            .internalError("the region failed to answer; its log has the reason")
        }
    }

    private static func apiError(_ error: ChunkStoreError) -> APIError {
        switch error {
        case .damaged:
            .internalError("this part of the file is damaged in the region's storage; its operator has been told")
        case .full: .unavailable("the region's disk is full", retryAfterSeconds: 60)
        case .failed: .unavailable("the region's storage does not work now", retryAfterSeconds: 30)
        }
    }
}
