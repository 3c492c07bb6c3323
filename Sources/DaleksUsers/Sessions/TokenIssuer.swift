import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSystem

/// What an access token says.
struct Grant: Sendable {
    enum Subject: Sendable {
        case user(UserID, session: SessionID)
        /// A program that acts for itself.
        case client
    }

    let subject: Subject
    /// The program that gets it.
    let client: String
    let scope: Scopes
    /// Nil: the token is for this service itself.
    let region: RegionRecord?
}

/// Writes access tokens (RFC 9068).
///
/// ## Concurrency
/// `name` is set once, before anybody is served. Signing holds no lock.
final class TokenIssuer: Sendable {
    static let tokenType = "at+jwt"

    let lifetimeSeconds: Int64
    private let keys: KeyRing
    private let time: TimeSource
    /// Known once the port is.
    private let name = Lock("")

    init(keys: KeyRing, lifetime: Duration, time: TimeSource) {
        self.keys = keys
        self.time = time
        lifetimeSeconds = lifetime.nanoseconds / 1_000_000_000
    }

    /// What tokens name as their issuer: configured, never taken from a request.
    var issuer: String { name.withLock { $0 } }

    func setIssuer(_ url: String) { name.withLock { $0 = url } }

    func accessToken(for grant: Grant) -> String {
        let issuedAt = time.wall.seconds
        var claims = JSONObject()
        claims["iss"] = .string(issuer)
        claims["aud"] = .string(grant.region?.filesURL ?? issuer)
        switch grant.subject {
        case .user(let user, let session):
            claims["sub"] = .string("\(user)")
            claims["sid"] = .string("\(session)")
        case .client:
            claims["sub"] = .string(grant.client)
        }
        claims["scope"] = .string(grant.scope.text)
        claims["client_id"] = .string(grant.client)
        claims["iat"] = .integer(issuedAt)
        claims["exp"] = .integer(issuedAt + lifetimeSeconds)
        claims["jti"] = .string(Base64.encode(Random.bytes(count: 16)))
        return sign(claims, type: Self.tokenType)
    }

    private func sign(_ claims: JSONObject, type: String) -> String {
        let signing = keys.signing
        return JWT.sign(claims: claims, type: type, key: signing.key, kid: signing.id)
    }

    /// As a program wants it signed. `prepare` before anything depends on it.
    func sign(_ claims: JSONObject, type: String, _ algorithm: SignatureAlgorithm) throws(APIError) -> String {
        let signing = try keys.signing(algorithm)
        return JWT.sign(claims: claims, type: type, key: signing.key, kid: signing.id)
    }

    /// Sees to it that there is a key of that kind.
    func prepare(_ algorithm: SignatureAlgorithm) throws(APIError) { _ = try keys.signing(algorithm) }
}
