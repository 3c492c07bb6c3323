import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// How the OAuth endpoints say no (RFC 6749, 5.2; RFC 8707).
struct OAuthError: Error, Equatable, Sendable {
    enum Code: String, Sendable {
        case invalidRequest = "invalid_request"
        case invalidClient = "invalid_client"
        case invalidGrant = "invalid_grant"
        case unsupportedGrantType = "unsupported_grant_type"
        case invalidScope = "invalid_scope"
        case invalidTarget = "invalid_target"
    }

    let code: Code
    let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    var response: HTTPResponse {
        var json = JSONWriter()
        json.object { json in
            json.member("error", code.rawValue)
            json.member("error_description", detail)
        }
        return .json(bytes: json.bytes, status: .badRequest)
    }
}
