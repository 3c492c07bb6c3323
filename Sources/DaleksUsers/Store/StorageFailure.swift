import DaleksHTTP
import DaleksPostgres
import DaleksService
import DaleksSystem

/// What the outside hears when storage fails. The log hears the rest.
enum StorageFailure {
    private static let database = DatabaseFailure(of: "the service")

    static func apiError(_ error: any Error, _ logger: Logger) -> APIError {
        // A text with a NUL, which SQLite would have taken and found nowhere.
        if let error = error as? PostgresError, error.code == .invalidValue {
            return .invalid("a value holds what cannot be stored")
        }
        return database.apiError(error, logger)
    }
}
