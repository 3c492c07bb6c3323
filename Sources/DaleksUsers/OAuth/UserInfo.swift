import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// `/oauth/userinfo` (OpenID Connect Core, 5.3): who it is, for programs that were let know.
struct UserInfo: Sendable {
    let check: AccessTokenCheck

    func answer(_ request: HTTPRequest) throws(APIError) -> HTTPResponse {
        let access = try check.access(of: request)
        guard let account = access.account, access.scope.contains(Scopes.openID) else {
            throw APIError.forbidden("the token does not say who somebody is: its scope lacks openid").with(
                "WWW-Authenticate",
                "Bearer error=\"insufficient_scope\", scope=\"openid\""
            )
        }
        var claims: JSONObject = ["sub": .string("\(account.id)")]
        for member in IDToken.identity(of: account, access.scope).members { claims[member.key] = member.value }
        return HTTPResponse.json(bytes: claims.jsonBytes).notStored
    }
}
