import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem

/// Lets in who has an access token of a session that goes on. Tokens are for regions or for this service; what is
/// asked of this service takes one that is for it alone (`caller`), and whoever asks about a token may ask about any.
///
/// ## Concurrency
/// `proved` is guarded by itself. Signatures are checked with no lock held.
final class AccessTokenCheck: Sendable {
    /// Signatures that were checked, for as long as the key ring stays as it is: to check one takes 80 µs, to find it
    /// here two.
    private struct Proved {
        var generation = 0
        var claims: [Digest: JWT.Claims] = [:]
    }

    let store: UsersStore
    private let keys: KeyRing
    private let issuer: TokenIssuer
    private let rule: RefreshRule
    private let time: TimeSource
    /// By the token's digest, so that what is remembered is no secret.
    private let proved = Lock(Proved())

    init(store: UsersStore, keys: KeyRing, issuer: TokenIssuer, rule: RefreshRule, time: TimeSource) {
        self.store = store
        self.keys = keys
        self.issuer = issuer
        self.rule = rule
        self.time = time
    }

    /// A token that is good now.
    struct Access: Sendable {
        let claims: JWT.Claims
        let scope: Scopes
        let client: String
        /// Nil for a program that acts for itself.
        let session: SessionState?
        let account: Account?
    }

    /// Nil where the token is not good, for whatever reason.
    func access(_ token: String) throws(APIError) -> Access? {
        guard let claims = claims(ifGood: token) else { return nil }
        return try access(of: claims)
    }

    /// What a token says that this service signed and whose time is not over. Whether it still holds is another
    /// question.
    func claims(ifGood token: String) -> JWT.Claims? { try? claims(token) }

    func access(of request: HTTPRequest) throws(APIError) -> Access {
        let token = try request.bearerToken()
        let claims: JWT.Claims
        do throws(JWTError) {
            claims = try self.claims(token)
        } catch {
            throw error == .expired ? .expiredToken : .invalidToken()
        }
        guard let access = try access(of: claims) else { throw .invalidToken() }
        return access
    }

    // MARK: What the token says

    private func claims(_ token: String) throws(JWTError) -> JWT.Claims {
        let (digest, generation, now) = (SHA256.digest(of: Array(token.utf8)), keys.generation, time.wall)
        let known = proved.withLock { $0.generation == generation ? $0.claims[digest] : nil }
        if let known {
            guard now < known.expiresAt else { throw .expired }
            return known
        }
        let claims = try verify(token, now)
        remember(claims, digest, generation, now)
        return claims
    }

    private func verify(_ token: String, _ now: Timestamp) throws(JWTError) -> JWT.Claims {
        // Looked at before it is proved, only to know which of our audiences to compare with; then everything is
        // checked.
        guard let audience = Self.claimedAudience(token), isOurs(audience) else { throw .wrongAudience }
        return try JWT.verify(
            token,
            keys: { [keys] in keys.key($0, $1) },
            type: TokenIssuer.tokenType,
            allowed: [.es256],
            now: now,
            leeway: .zero,
            audience: audience,
            issuer: issuer.issuer
        )
    }

    /// Whether a token that is good names this service and nobody else.
    func isForUs(_ claims: JWT.Claims) -> Bool { claims.audiences == [issuer.issuer] }

    private func isOurs(_ audience: String) -> Bool {
        if audience == issuer.issuer { return true }
        return (try? store.readOnce { db in try RegionTable.open(filesURL: audience, db) }) != nil
    }

    private static func claimedAudience(_ token: String) -> String? {
        guard token.utf8.count <= Limits.Crypto.tokenBytesMax else { return nil }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Base64.decode(parts[1], .url),
            let json = try? JSONValue.parse(payload, limits: JSONLimits(depthMax: Limits.Crypto.tokenDepthMax))
        else { return nil }
        return try? JSONReader(json).string("aud")
    }

    private func remember(_ claims: JWT.Claims, _ digest: Digest, _ generation: Int, _ now: Timestamp) {
        proved.withLock { proved in
            if proved.generation != generation { proved = Proved(generation: generation) }
            if proved.claims.count >= Limits.Users.provedTokenCountMax {
                proved.claims = proved.claims.filter { $0.value.expiresAt > now }
                if proved.claims.count >= Limits.Users.provedTokenCountMax { proved.claims = [:] }
            }
            proved.claims[digest] = claims
        }
    }

    // MARK: Whether it still holds

    /// Nil where the session has ended, or the account or the client is gone.
    func access(of claims: JWT.Claims) throws(APIError) -> Access? {
        if let session = Self.session(of: claims) {
            guard let standing = try store.readOnce({ db in try StandingTable.load(session, db) }),
                holds(claims, StandingTable.Vitals(standing)), let (client, scope) = Self.program(of: claims)
            else { return nil }
            return Access(
                claims: claims,
                scope: scope,
                client: client,
                session: standing.session,
                account: standing.account
            )
        }
        // No session is behind a program that acts for itself: it is known, or it is not.
        guard let (client, scope) = Self.program(of: claims), claims.subject == client,
            try store.readOnce({ db in try OAuthClientTable.load(client, db) }) != nil
        else { return nil }
        return Access(claims: claims, scope: scope, client: client, session: nil, account: nil)
    }

    /// The session behind a token, unless a program acts for itself.
    static func session(of claims: JWT.Claims) -> SessionID? { try? claims.reader.identifier("sid") }

    /// Whether a token still holds, where it is known how its session and its account stand.
    func holds(_ claims: JWT.Claims, _ vitals: StandingTable.Vitals) -> Bool {
        guard let (client, _) = Self.program(of: claims) else { return false }
        return UserID(claims.subject) == vitals.account && vitals.client == client && vitals.ended == nil
            && !rule.isOver(vitals.life, at: time.wall) && vitals.lockedSince == nil
    }

    private static func program(of claims: JWT.Claims) -> (client: String, scope: Scopes)? {
        guard let client = try? claims.reader.string("client_id"), let words = try? claims.reader.string("scope") else {
            return nil
        }
        return (client, Scopes(words: words))
    }
}
