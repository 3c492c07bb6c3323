import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite

/// A program that somebody let in: its session, and its first tokens.
struct LetIn: Sendable {
    /// What was agreed to.
    struct Asked: Sendable {
        let client: OAuthClient
        let account: UserID
        let scope: Scopes
        /// What the user will see in the list of sessions.
        let device: String
        /// The files URL of the region that the access token is for; nil: the user's home.
        let resource: String?
        let nonce: String?
        let authenticated: Timestamp
    }

    private let asked: Asked
    private let account: Account
    private let grant: Grant
    private let refreshToken: RefreshToken?
    let session: SessionID

    /// What the first access token is for (RFC 8707, 2.2): what was agreed to, which the token request may repeat, or
    /// else what that asks for. Nil where the two differ; `.some(nil)` where neither says.
    static func resource(agreed: String?, asked: String?) -> String?? {
        guard let agreed, let asked else { return .some(agreed ?? asked) }
        return RegionSetting.withoutLastSlash(agreed) == RegionSetting.withoutLastSlash(asked) ? .some(agreed) : nil
    }

    static let otherResource = OAuthError(.invalidTarget, "the resource is not the one that the user agreed to")

    /// Stores the session. Where nothing may come of it, the reason, and nothing is stored.
    static func make(
        _ asked: Asked,
        _ sessions: Sessions,
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws -> Result<LetIn, OAuthError> {
        guard let account = try AccountTable.load(asked.account, db), account.lockedSince == nil else {
            return .failure(OAuthError(.invalidGrant, "the account is locked, or not there any more"))
        }
        let home = try home(of: account, db)
        var region: RegionRecord?
        if let resource = asked.resource {
            region = try RegionTable.open(filesURL: RegionSetting.withoutLastSlash(resource), db)
            guard region != nil else {
                return .failure(
                    OAuthError(.invalidTarget, "the resource is not the files URL of a region that is open")
                )
            }
        } else if asked.scope.concernsFiles {
            region = home
            guard region != nil else { return .failure(OAuthError(.temporarilyUnavailable, "no region is open")) }
        }
        // Without a refresh token there is nothing to come back with: the session ends with its only access token.
        let isRefreshed = asked.scope.contains(Scopes.offline) && asked.client.grants.contains(.refreshToken)
        let (beginning, token) = sessions.make(
            for: asked.account,
            client: asked.client.id,
            scope: asked.scope,
            device: asked.device,
            at: now,
            until: isRefreshed ? nil : now + .seconds(sessions.issuer.lifetimeSeconds)
        )
        let code = (region ?? home)?.code ?? ""
        try SessionTable.insert(beginning.state(in: code), db)
        if region != nil { try AccountTable.setFirstHome(code, of: account.id, db) }
        return .success(
            LetIn(
                asked: asked,
                account: account,
                grant: beginning.grant(in: region),
                refreshToken: isRefreshed ? token : nil,
                session: beginning.id
            )
        )
    }

    private static func home(of account: Account, _ db: borrowing Connection) throws -> RegionRecord? {
        if let home = account.home, let region = try RegionTable.open(code: home, db) { return region }
        return try RegionTable.allOpen(db).first
    }

    func answer(_ issuer: TokenIssuer, at now: Timestamp) throws(OAuthFailure) -> TokenAnswer {
        let accessToken = issuer.accessToken(for: grant)
        var answer = TokenAnswer(
            accessToken: accessToken,
            expiresInSeconds: issuer.lifetimeSeconds,
            refreshToken: refreshToken?.text,
            scope: grant.scope.text,
            region: grant.region
        )
        if grant.scope.contains(Scopes.openID) {
            let token = IDToken(
                account: account,
                session: session,
                client: asked.client.id,
                scope: grant.scope,
                nonce: asked.nonce,
                authenticated: asked.authenticated,
                accessToken: accessToken
            )
            do throws(APIError) {
                answer.idToken = try token.text(issuer, asked.client.idTokenAlgorithm, at: now)
            } catch {
                throw .api(error)
            }
        }
        return answer
    }
}
