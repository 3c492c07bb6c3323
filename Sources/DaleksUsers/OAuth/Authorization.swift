import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Turns what people agree to into codes, and codes into sessions.
struct Authorization: Sendable {
    let store: UsersStore
    let sessions: Sessions
    let issuer: TokenIssuer
    let rule: OAuthRule
    let measures: UsersMeasures
    let time: TimeSource
    let logger: Logger

    // MARK: The user said yes

    /// Where to send the user, with the code.
    func agree(
        to request: AuthorizationRequest,
        by account: UserID,
        authenticated: Timestamp
    ) throws(APIError) -> String {
        let (text, now) = (AuthorizationCode.newText(), time.wall)
        let code = AuthorizationCode(
            code: AuthorizationCode.digest(text),
            client: request.client.id,
            account: account,
            redirect: request.isRedirectNamed ? request.redirect : nil,
            challenge: request.challenge,
            scope: request.scope,
            resource: request.resource,
            nonce: request.nonce,
            authenticated: authenticated,
            expires: now + rule.codeLifetime
        )
        try store.write(.normal) { db in try AuthorizationCodeTable.insert(code, db) }
        return answer([("code", text)], to: request.redirect, state: request.state)
    }

    /// Where to send the user, with an error.
    func refuse(_ error: OAuthError, to redirect: String, state: String?) -> String {
        answer([("error", error.code.rawValue), ("error_description", error.detail)], to: redirect, state: state)
    }

    /// `iss` tells a program that talks to several services which one answered (RFC 9207).
    private func answer(_ items: [(String, String)], to redirect: String, state: String?) -> String {
        let state = state.map { [("state", $0)] } ?? []
        return RedirectURI.adding(items + state + [("iss", issuer.issuer)], to: redirect)
    }

    // MARK: The program fetches its tokens

    struct Redemption: Sendable {
        let code: String
        let verifier: String
        let redirect: String?
        let resource: String?
        let client: OAuthClient
        let origin: Origin
    }

    private enum Outcome {
        case granted(LetIn)
        case refused(OAuthError)
    }

    func redeem(_ redemption: Redemption) throws(OAuthFailure) -> TokenAnswer {
        let now = time.wall
        let outcome: Outcome
        do throws(APIError) {
            outcome = try store.write { db in try redeem(redemption, now, db) }
        } catch {
            throw .api(error)
        }
        switch outcome {
        case .refused(let error): throw .refused(error)
        case .granted(let letIn): return try letIn.answer(issuer, at: now)
        }
    }

    private func redeem(_ redemption: Redemption, _ now: Timestamp, _ db: borrowing Connection) throws -> Outcome {
        let digest = AuthorizationCode.digest(redemption.code)
        guard let code = try AuthorizationCodeTable.load(digest, db) else { return .refused(Self.unknown) }
        guard code.client == redemption.client.id else { return .refused(Sessions.foreign) }
        if let session = code.session {
            try end(session, of: code, redemption.origin, now, db)
            return .refused(Self.unknown)
        }
        guard now < code.expires else { return .refused(Self.unknown) }
        guard code.redirect == redemption.redirect else {
            return .refused(OAuthError(.invalidGrant, "redirect_uri is not the one that the code was asked with"))
        }
        guard PKCE.isVerifier(redemption.verifier), PKCE.verifies(redemption.verifier, code.challenge) else {
            return .refused(OAuthError(.invalidGrant, "code_verifier does not belong to the code"))
        }
        guard let resource = LetIn.resource(agreed: code.resource, asked: redemption.resource) else {
            return .refused(LetIn.otherResource)
        }
        let asked = LetIn.Asked(
            client: redemption.client,
            account: code.account,
            scope: code.scope,
            device: redemption.client.name,
            resource: resource,
            nonce: code.nonce,
            authenticated: code.authenticated
        )
        switch try LetIn.make(asked, sessions, at: now, db) {
        case .failure(let error): return .refused(error)
        case .success(let letIn):
            guard try AuthorizationCodeTable.use(digest, as: letIn.session, db) else { return .refused(Self.unknown) }
            try AuditTable.add(
                .authorize,
                .done,
                account: code.account,
                session: letIn.session,
                from: redemption.origin,
                at: now,
                db
            )
            return .granted(letIn)
        }
    }

    /// A code came twice: two have it, and what the first got may be a thief's (RFC 6749, 4.1.2).
    private func end(
        _ session: SessionID,
        of code: AuthorizationCode,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        guard try SessionTable.end(session, .reused, at: now, db) else { return }
        try AuditTable.add(.authorize, .reused, account: code.account, session: session, from: origin, at: now, db)
        logger.warning(
            "an authorization code came twice; its session was ended",
            ["session": session, "account": code.account, "client": origin.client]
        )
    }

    private static let unknown = OAuthError(.invalidGrant, "the code is not good, or not any more")
}
