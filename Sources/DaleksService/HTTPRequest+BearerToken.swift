public import DaleksHTTP
public import DaleksHTTPServer

extension HTTPRequest {
    /// The token of `Authorization: Bearer`, not looked at yet (RFC 6750).
    public func bearerToken() throws(APIError) -> String {
        guard let value = fields["Authorization"] else { throw .unauthorized("this needs a token") }
        guard fields.values("Authorization").count == 1 else {
            throw .invalidToken("more than one Authorization field")
        }
        let usual = "Bearer "
        if value.hasPrefix(usual), value.utf8.count > usual.utf8.count, value.utf8.last != UInt8(ascii: " "),
            value.utf8.dropFirst(usual.utf8.count).first != UInt8(ascii: " ")
        {
            return String(value.utf8.dropFirst(usual.utf8.count)) ?? ""
        }
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
