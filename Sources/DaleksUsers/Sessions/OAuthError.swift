import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// How the OAuth endpoints say no (RFC 6749, 4.1.2.1 and 5.2; RFC 7009, 2.2.1; RFC 8628, 3.5;
/// RFC 8707; OpenID Connect).
struct OAuthError: Error, Equatable, Sendable {
    enum Code: String, Sendable {
        case invalidRequest = "invalid_request"
        case invalidClient = "invalid_client"
        case invalidGrant = "invalid_grant"
        case unauthorizedClient = "unauthorized_client"
        case unsupportedGrantType = "unsupported_grant_type"
        case unsupportedTokenType = "unsupported_token_type"
        case unsupportedResponseType = "unsupported_response_type"
        case invalidScope = "invalid_scope"
        case invalidTarget = "invalid_target"
        case accessDenied = "access_denied"
        case loginRequired = "login_required"
        case consentRequired = "consent_required"
        case requestNotSupported = "request_not_supported"
        case requestURINotSupported = "request_uri_not_supported"
        case registrationNotSupported = "registration_not_supported"
        case authorizationPending = "authorization_pending"
        case slowDown = "slow_down"
        case expiredToken = "expired_token"
        case temporarilyUnavailable = "temporarily_unavailable"
    }

    let code: Code
    let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// As the endpoints that programs ask directly answer it.
    var response: HTTPResponse {
        var json = JSONWriter()
        json.object { json in
            json.member("error", code.rawValue)
            json.member("error_description", detail)
        }
        let response = HTTPResponse.json(bytes: json.bytes, status: status)
        return code == .invalidClient ? response.with("WWW-Authenticate", "Basic realm=\"daleks\"") : response
    }

    private var status: HTTPStatus {
        switch code {
        case .invalidClient: .unauthorized
        case .temporarilyUnavailable: .serviceUnavailable
        case .invalidRequest, .invalidGrant, .unauthorizedClient, .unsupportedGrantType, .unsupportedResponseType,
            .unsupportedTokenType, .invalidScope, .invalidTarget, .accessDenied, .loginRequired, .consentRequired,
            .requestNotSupported, .requestURINotSupported, .registrationNotSupported, .authorizationPending, .slowDown,
            .expiredToken:
            .badRequest
        }
    }
}
