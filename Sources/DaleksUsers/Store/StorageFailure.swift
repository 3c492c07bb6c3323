import DaleksHTTP
import DaleksService
import DaleksSystem

/// What the outside hears when storage fails. The log hears the rest.
enum StorageFailure {
    private static let database = DatabaseFailure(of: "the service")

    static func apiError(_ error: any Error, _ logger: Logger) -> APIError { database.apiError(error, logger) }
}
