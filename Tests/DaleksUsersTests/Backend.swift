import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// The databases that the service runs on; what is about storage is tested on each.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite, postgres

    var testDescription: String { rawValue }

    /// Of a database nobody used before.
    func makeURL() throws -> String? {
        switch self {
        case .sqlite: nil
        case .postgres: try PostgresServer.shared().makeSchema()
        }
    }
}

extension TestService {
    convenience init(
        on backend: Backend,
        time: TimeSource = .system,
        _ change: (inout UsersSettings) -> Void = { _ in }
    ) throws {
        let url = try backend.makeURL()
        try self.init(time: time) { settings in
            settings.database = url
            change(&settings)
        }
    }
}
