import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksJSON
import DaleksSystem

/// What an access token says.
struct Grant: Sendable {
    let user: UserID
    let session: SessionID
    let scope: Scopes
    /// Whom it is for.
    let region: RegionRecord
}

/// Writes access tokens (RFC 9068).
///
/// ## Concurrency
/// `name` is set once, before anybody is served. Signing holds no lock.
final class TokenIssuer: Sendable {
    /// The programs of this house. They have no secret of their own: whoever has the program has it.
    static let clientID = "daleks"
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
        let claims = JSONObject([
            ("iss", .string(issuer)),
            ("aud", .string(grant.region.filesURL)),
            ("sub", .string("\(grant.user)")),
            ("sid", .string("\(grant.session)")),
            ("scope", .string(grant.scope.text)),
            ("client_id", .string(Self.clientID)),
            ("iat", .integer(issuedAt)),
            ("exp", .integer(issuedAt + lifetimeSeconds)),
            ("jti", .string(Base64.encode(Random.bytes(count: 16)))),
        ])
        let signing = keys.signing
        return JWT.sign(claims: claims, type: Self.tokenType, key: signing.key, kid: signing.id)
    }
}
