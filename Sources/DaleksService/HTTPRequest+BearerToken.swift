public import DaleksHTTP
public import DaleksHTTPServer

extension HTTPRequest {
    /// The token of `Authorization: Bearer`, not looked at yet (RFC 6750).
    public func bearerToken() throws(APIError) -> String {
        let values = fields.values("Authorization")
        guard let value = values.first else { throw .unauthorized("this needs a token") }
        guard values.count == 1 else { throw .invalidToken("more than one Authorization field") }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw .unauthorized("this needs a bearer token")
        }
        return String(parts[1])
    }
}

extension APIError {
    private static let tokenChallenge = "Bearer error=\"invalid_token\""

    public static func invalidToken(_ detail: String = "the token is not valid here") -> APIError {
        .unauthorized(detail, challenge: tokenChallenge)
    }

    public static var expiredToken: APIError {
        APIError(.tokenExpired, "the token has expired").with("WWW-Authenticate", tokenChallenge)
    }

    /// The token is good, and not for this.
    public static func insufficientScope(_ detail: String = "the token does not cover this") -> APIError {
        .forbidden(detail).with("WWW-Authenticate", "Bearer error=\"insufficient_scope\"")
    }
}
