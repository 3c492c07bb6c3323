import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem

/// Turns a request's bearer token into a caller, without asking anybody but for a key that is not known yet.
///
/// ## Concurrency
/// `checked` and `audience` are guarded by themselves. Signatures are checked with no lock held.
final class TokenVerifier: Sendable {
    /// Callers whose tokens were checked, for as long as every key that was there then is there still: what a key that
    /// was taken back has signed goes with it.
    private struct Checked {
        var generation = 0
        var callers: [Digest: Caller] = [:]
    }

    private let keys: KeySource
    /// Asked with every request: a token that was checked before may have been revoked since.
    let revocations: Revocations
    private let issuer: String
    /// Known once the port is.
    private let audience = Lock<String?>(nil)
    private let time: TimeSource
    private let logger: Logger
    /// By the token's digest, so that what is remembered is no secret.
    private let checked = Lock(Checked())

    init(
        keys: KeySource,
        issuer: String,
        revocations: Revocations = Revocations(),
        time: TimeSource = .system,
        logger: Logger
    ) {
        self.revocations = revocations
        self.keys = keys
        self.issuer = issuer
        self.time = time
        self.logger = logger
    }

    var rememberedCount: Int { checked.withLock { $0.callers.count } }

    func setAudience(_ url: String) { audience.withLock { $0 = url } }

    func caller(of request: HTTPRequest, needing scope: Scope) throws(APIError) -> Caller {
        let caller = try verify(try request.bearerToken())
        try caller.require(scope)
        return caller
    }

    /// The caller of a request whose token was checked before; nil where it has to be checked. It waits for nothing.
    func remembered(_ request: HTTPRequest, needing scope: Scope) -> Caller? {
        guard let token = try? request.bearerToken() else { return nil }
        let digest = SHA256.digest(of: Array(token.utf8))
        let generation = keys.generation
        guard let caller = checked.withLock({ $0.generation == generation ? $0.callers[digest] : nil }),
            time.wall < caller.expires, caller.scope.isSuperset(of: scope), !revocations.isRevoked(caller)
        else { return nil }
        return caller
    }

    func verify(_ token: String) throws(APIError) -> Caller {
        let caller = try known(token)
        guard !revocations.isRevoked(caller) else { throw .invalidToken("the token was revoked") }
        return caller
    }

    private func known(_ token: String) throws(APIError) -> Caller {
        let digest = SHA256.digest(of: Array(token.utf8))
        // Taken before the signature is looked at: should a key go meanwhile, what it proved is not remembered.
        let (generation, now) = (keys.generation, time.wall)
        if let caller = checked.withLock({ $0.generation == generation ? $0.callers[digest] : nil }) {
            if now < caller.expires { return caller }
            checked.withLock { _ = $0.callers.removeValue(forKey: digest) }
        }
        let caller = try check(token, now)
        remember(caller, digest, generation, now)
        keys.refreshIfOld()
        return caller
    }

    private func check(_ token: String, _ now: Timestamp) throws(APIError) -> Caller {
        do throws(JWTError) {
            return try caller(try claims(of: token, now))
        } catch {
            guard error == .unknownKey else { throw refuse(error) }
        }
        guard keys.refresh() == .current else {
            throw .unavailable("the token cannot be checked while the users service is away", retryAfterSeconds: 2)
        }
        do throws(JWTError) {
            return try caller(try claims(of: token, now))
        } catch {
            throw refuse(error)
        }
    }

    private func claims(of token: String, _ now: Timestamp) throws(JWTError) -> JWT.Claims {
        // Until the audience is known nothing is meant for us.
        guard let audience = audience.withLock({ $0 }) else { throw .wrongAudience }
        return try JWT.verify(
            token,
            keys: { [keys] in keys.key($0, $1) },
            type: "at+jwt",
            now: now,
            audience: audience,
            issuer: issuer
        )
    }

    private func caller(_ claims: JWT.Claims) throws(JWTError) -> Caller {
        guard let user = UserID(claims.subject) else {
            throw .malformedClaims(JSONError(message: "is not a user's id", path: "$.sub"))
        }
        do throws(JSONError) {
            guard claims.expiresAt - claims.issuedAt <= Limits.Files.tokenLifetimeMax else {
                throw JSONError(message: "is later than any token's end", path: "$.exp")
            }
            return Caller(
                user: user,
                // A program that acts for itself has none, and could be called what somebody's id is.
                session: try claims.reader.identifier("sid"),
                scope: Scope(words: try claims.reader.optionalString("scope") ?? ""),
                issued: claims.issuedAt,
                expires: claims.expiresAt
            )
        } catch {
            throw .malformedClaims(error)
        }
    }

    private func refuse(_ error: JWTError) -> APIError {
        logger.info("a token was refused", ["error": error])
        return error == .expired ? .expiredToken : .invalidToken()
    }

    private func remember(_ caller: Caller, _ digest: Digest, _ generation: Int, _ now: Timestamp) {
        checked.withLock { checked in
            guard checked.generation <= generation else { return }
            if checked.generation < generation { checked = Checked(generation: generation) }
            if checked.callers.count >= Limits.Files.tokenCountMax {
                checked.callers = checked.callers.filter { $0.value.expires > now }
                // All of them good: whoever is forgotten is checked once more, which costs a tenth of a millisecond.
                if checked.callers.count >= Limits.Files.tokenCountMax { checked.callers = [:] }
            }
            checked.callers[digest] = caller
        }
    }
}
