import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksSQLite

/// A files service that proved itself.
struct RegionService: Sendable {
    let code: String
}

/// Lets in files services by what enrolment gave them: `Authorization: Basic`, the region's code and the secret.
struct ServiceCheck: Sendable {
    let store: UsersStore

    func service(of request: HTTPRequest) throws(APIError) -> RegionService {
        let values = request.fields.values("Authorization")
        guard values.count == 1, let (code, text) = Self.credentials(values[0]) else { throw Self.invalid }
        guard let secret = Secret(.service, text) else { throw Self.invalid }
        let known = try store.read { db in try RegionTable.secret(of: code, db) }
        guard let known, constantTimeEqual(known.bytes, secret.digest.bytes) else { throw Self.invalid }
        return RegionService(code: code)
    }

    static func isBasic(_ request: HTTPRequest) -> Bool {
        request.fields["Authorization"]?.lowercased().hasPrefix("basic ") ?? false
    }

    private static func credentials(_ value: String) -> (code: String, secret: String)? {
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic", parts[1].utf8.count <= 512,
            let bytes = Base64.decode(String(parts[1]), .standard), let text = String(validating: bytes, as: UTF8.self),
            let colon = text.firstIndex(of: ":")
        else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    private static var invalid: APIError {
        .unauthorized("this needs a files service's credentials", challenge: "Basic realm=\"daleks services\"")
    }
}
