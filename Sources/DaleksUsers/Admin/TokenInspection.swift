import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Says everything about a token that somebody found in a log or was sent by a user who cannot get in: what it is,
/// whether it is good, whose, what for, until when, and if not, why not.
struct TokenInspection: Sendable {
    let store: UsersStore
    let keys: KeyRing
    let issuer: TokenIssuer
    let refreshRule: RefreshRule
    let time: TimeSource

    struct Finding: Sendable {
        var kind = "unknown"
        var isValid = false
        var isRevoked = false
        /// Why it is not valid.
        var reason: String?
        var header: JSONValue?
        var claims: JSONValue?
        var user: UserID?
        /// The address of that user, while there is one.
        var email: String?
        var session: SessionID?
        var audience: String?
        var scope: String?
        var expires: Timestamp?

        func encode(to json: inout JSONWriter) {
            json.object { json in
                json.member("kind", kind)
                json.member("is_valid", isValid)
                json.member("is_revoked", isRevoked)
                json.member("reason", ifPresent: reason)
                json.member("user", ifPresent: user)
                json.member("email", ifPresent: email)
                json.member("session", ifPresent: session)
                json.member("audience", ifPresent: audience)
                json.member("scope", ifPresent: scope)
                json.member("expires", ifPresent: expires?.nanoseconds)
                json.member("header", ifPresent: header)
                json.member("claims", ifPresent: claims)
            }
        }
    }

    func inspect(_ text: String) throws(APIError) -> Finding {
        var finding: Finding
        if let token = RefreshToken(text) {
            finding = try inspect(token)
        } else if let secret = Secret(.appPassword, text) {
            finding = try inspect(appPassword: secret)
        } else {
            finding = try inspect(jwt: text)
        }
        if let user = finding.user {
            finding.email = try store.readOnce { db in try AccountTable.load(user, db) }?.email.text
        }
        return finding
    }

    // MARK: Access tokens

    private func inspect(jwt text: String) throws(APIError) -> Finding {
        var finding = Finding()
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= Limits.Crypto.tokenBytesMax, parts.count == 3 else {
            finding.reason = "it is neither a token of this service nor a JWT"
            return finding
        }
        finding.kind = "jwt"
        finding.header = Self.json(parts[0])
        finding.claims = Self.json(parts[1])
        guard let claims = finding.claims.map({ JSONReader($0) }) else {
            finding.reason = "its claims cannot be read"
            return finding
        }
        finding.user = (try? claims.optionalString("sub"))?.flatMap { UserID($0) }
        finding.session = (try? claims.optionalString("sid"))?.flatMap { SessionID($0) }
        finding.audience = try? claims.optionalString("aud")
        finding.scope = try? claims.optionalString("scope")
        finding.expires = (try? claims.optionalInteger("exp"))?.map { Timestamp(seconds: $0) }
        do throws(JWTError) {
            let type = finding.header.flatMap { try? JSONReader($0).optionalString("typ") } ?? TokenIssuer.tokenType
            let isAccess = type == TokenIssuer.tokenType
            _ = try JWT.verify(
                text,
                keys: { [keys] in keys.key($0, $1) },
                type: type,
                // Only ID tokens are ever signed with RSA.
                allowed: isAccess ? [.es256] : [.es256, .rs256],
                now: time.wall,
                leeway: .zero,
                audience: finding.audience ?? "",
                issuer: issuer.issuer
            )
            finding.isValid = true
            finding.kind = isAccess ? "access_token" : "id_token"
        } catch {
            finding.reason = "\(error)"
            return finding
        }
        try judge(&finding, client: try? claims.optionalString("client_id"))
        return finding
    }

    /// A signature says nothing about what happened since.
    private func judge(_ finding: inout Finding, client: String?) throws(APIError) {
        let reason: String?
        if let session = finding.session {
            let state = try store.readOnce { db in try SessionTable.load(session, db) }
            reason =
                if let ended = state?.ended {
                    "its session ended at \(ended.nanoseconds)"
                } else if let state {
                    refreshRule.isOver(state, at: time.wall) ? "its session's time is over" : nil
                } else {
                    "its session is not known here any more"
                }
        } else if let client {
            // A program that acts for itself: its tokens are good while it is registered.
            let isKnown = try store.readOnce { db in try OAuthClientTable.load(client, db) != nil }
            reason = isKnown ? nil : "its program is not registered here any more"
        } else {
            reason = nil
        }
        guard let reason else { return }
        finding.isRevoked = true
        finding.isValid = false
        finding.reason = reason
    }

    // MARK: Others

    private func inspect(_ token: RefreshToken) throws(APIError) -> Finding {
        var finding = Finding(kind: "refresh_token")
        let session = try store.read { db in try SessionTable.load(token.session, db) }
        guard let session, token.isGenuine(markKey: session.mark) else {
            finding.reason = "this service did not make it, or its session is not known here any more"
            return finding
        }
        finding.user = session.account
        finding.session = session.id
        finding.scope = session.scope.text
        finding.expires = min(session.created + refreshRule.lifetime, session.used + refreshRule.idle)
        if let until = session.until { finding.expires = min(until, finding.expires ?? until) }
        if let ended = session.ended {
            finding.isRevoked = true
            finding.reason = "its session ended at \(ended.nanoseconds)"
        } else if token.digest == session.current {
            finding.isValid = time.wall < (finding.expires ?? time.wall)
            if !finding.isValid { finding.reason = "it has expired" }
        } else {
            finding.reason = "it was used before; the session goes on with its successor"
        }
        return finding
    }

    private func inspect(appPassword secret: Secret) throws(APIError) -> Finding {
        var finding = Finding(kind: "app_password")
        let password = try store.read { db in try AppPasswordTable.find(secret: secret.digest, db) }
        finding.isValid = password != nil
        finding.user = password?.account
        finding.scope = password?.scope.text
        if password == nil { finding.reason = "it was taken back, or never was one" }
        return finding
    }

    private static func json(_ part: Substring) -> JSONValue? {
        guard let bytes = Base64.decode(String(part), .url) else { return nil }
        return try? JSONValue.parse(bytes, limits: JSONLimits(depthMax: Limits.Crypto.tokenDepthMax))
    }
}
