import DaleksHTTP
import DaleksService
import DaleksSystem

/// What the outside hears when storage fails. The log hears the rest.
enum StorageFailure {
    private static let database = DatabaseFailure(of: "the region")

    static func apiError(_ error: any Error, _ logger: Logger) -> APIError {
        switch error {
        case let error as ChunkStoreError:
            logger.error("the chunk store failed", ["error": "\(error)"])
            return apiError(error)
        case let error as RecordError:
            logger.error("a stored record is damaged", ["error": error])
            return .internalError("what the region stores about this is damaged; its operator has been told")
        default: return database.apiError(error, logger)
        }
    }

    private static func apiError(_ error: ChunkStoreError) -> APIError {
        switch error {
        case .damaged:
            .internalError("this part of the file is damaged in the region's storage; its operator has been told")
        case .full: .unavailable("the region's disk is full", retryAfterSeconds: 60)
        case .failed: .unavailable("the region's storage does not work now", retryAfterSeconds: 30)
        case .unreachable: .unavailable("the region's storage does not answer now", retryAfterSeconds: 5)
        }
    }
}
