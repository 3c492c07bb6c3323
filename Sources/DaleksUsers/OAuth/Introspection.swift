import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem

/// `POST /oauth/introspect` (RFC 7662): whether a token is good, and for what. Only clients with a secret may ask.
struct Introspection: Sendable {
    let authentication: ClientAuthentication
    let sessions: Sessions
    let check: AccessTokenCheck
    let findings: Findings

    func answer(_ form: OAuthForm, _ request: HTTPRequest) throws(OAuthFailure) -> JSONObject {
        let claim = try authentication.claim(ofConfidential: request, form)
        let token = form["token"]
        let claims = token.flatMap { check.claims(ifGood: $0) }
        if let claims, let session = AccessTokenCheck.session(of: claims) {
            return try answer(claims, session, claim)
        }
        let client = try authentication.confidential(claim)
        guard let token else { throw .refused(OAuthError(.invalidRequest, "the parameter token is missing")) }
        do throws(APIError) {
            if let claims {
                guard let access = try check.access(of: claims) else { return ["active": false] }
                return Self.facts(access)
            }
            if let session = try sessions.session(of: token), isGood(session), session.client == client.id {
                return Self.facts(session, token)
            }
            return ["active": false]
        } catch {
            throw .api(error)
        }
    }

    /// Of a token that people's programs have, by far the most: who asks, the session and the account are one question
    /// to the database. Nothing is told before the asker is proved.
    private func answer(
        _ claims: JWT.Claims,
        _ session: SessionID,
        _ claim: ClientAuthentication.Claim
    ) throws(OAuthFailure) -> JSONObject {
        let found: StandingTable.Finding?
        do throws(APIError) {
            found = try findings.of(session, askedBy: claim.id)
        } catch {
            throw .api(error)
        }
        _ = try authentication.confidential(claim, found?.client)
        guard let access = check.access(of: claims, found?.standing) else { return ["active": false] }
        return Self.facts(access)
    }

    /// A refresh token is its own program's business; others are told nothing about it.
    private func isGood(_ session: SessionState) -> Bool {
        session.ended == nil && !sessions.rule.isOver(session, at: sessions.time.wall)
    }

    private static func facts(_ access: AccessTokenCheck.Access) -> JSONObject {
        var facts: JSONObject = ["active": true, "token_type": "Bearer"]
        for name in ["iss", "sub", "aud", "scope", "client_id", "iat", "exp", "jti", "sid"] {
            if let value = access.claims.members[name] { facts[name] = value }
        }
        if let account = access.account { facts["username"] = .string(account.email.text) }
        return facts
    }

    private static func facts(_ session: SessionState, _ token: String) -> JSONObject {
        guard RefreshToken(token)?.digest == session.current else { return ["active": false] }
        return [
            "active": true, "token_type": "refresh_token", "client_id": .string(session.client),
            "sub": .string("\(session.account)"), "sid": .string("\(session.id)"),
            "scope": .string(session.scope.text), "iat": .integer(session.used.seconds),
        ]
    }
}
