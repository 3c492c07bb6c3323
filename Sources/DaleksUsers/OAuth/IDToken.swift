import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSystem

/// Tells a program who logged in (OpenID Connect Core, 2). It opens nothing: its type and audience are not an access
/// token's.
struct IDToken: Sendable {
    let account: Account
    let session: SessionID
    let client: String
    let scope: Scopes
    let nonce: String?
    let authenticated: Timestamp
    let accessToken: String

    func text(_ issuer: TokenIssuer, _ algorithm: SignatureAlgorithm, at now: Timestamp) throws(APIError) -> String {
        var claims = JSONObject()
        claims["iss"] = .string(issuer.issuer)
        claims["sub"] = .string("\(account.id)")
        claims["aud"] = .string(client)
        claims["iat"] = .integer(now.seconds)
        claims["exp"] = .integer(now.seconds + issuer.lifetimeSeconds)
        claims["auth_time"] = .integer(authenticated.seconds)
        claims["sid"] = .string("\(session)")
        if let nonce { claims["nonce"] = .string(nonce) }
        // Half of the access token's digest ties the two together.
        let digest = SHA256.digest(of: Array(accessToken.utf8)).bytes
        claims["at_hash"] = .string(Base64.encode(Array(digest.prefix(digest.count / 2)), .url))
        for member in Self.identity(of: account, scope).members { claims[member.key] = member.value }
        return try issuer.sign(claims, type: "JWT", algorithm)
    }

    /// What the words of the scope let a program know.
    static func identity(of account: Account, _ scope: Scopes) -> JSONObject {
        var claims = JSONObject()
        if scope.contains("profile") { claims["name"] = .string(account.name) }
        if scope.contains("email") { claims["email"] = .string(account.email.text) }
        return claims
    }
}
