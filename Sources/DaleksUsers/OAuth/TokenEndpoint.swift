import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// `POST /oauth/token`: who asks, for what kind of grant, and whether they may.
struct TokenEndpoint: Sendable {
    let authentication: ClientAuthentication
    let authorization: Authorization
    let devices: DeviceGrant
    let sessions: Sessions
    let issuer: TokenIssuer
    let store: UsersStore
    let measures: UsersMeasures

    func answer(_ form: OAuthForm, _ request: HTTPRequest) throws(OAuthFailure) -> TokenAnswer {
        guard let kind = GrantKind(rawValue: try form.required("grant_type")) else {
            throw .refused(OAuthError(.unsupportedGrantType, "the grant is not one of those in the metadata"))
        }
        let client = try authentication.client(of: request, form, fallback: kind == .refreshToken ? .house : nil)
        guard client.grants.contains(kind) else {
            throw .refused(OAuthError(.unauthorizedClient, "the client may not use this grant"))
        }
        // Before the code is spent: a program's first RSA key may still have to be made.
        if client.idTokenAlgorithm != .es256, kind == .authorizationCode || kind == .deviceCode {
            do throws(APIError) { try issuer.prepare(client.idTokenAlgorithm) } catch { throw .api(error) }
        }
        let origin = Origin(request)
        switch kind {
        case .refreshToken: return try refresh(form, client, origin)
        case .authorizationCode:
            return try authorization.redeem(
                Authorization.Redemption(
                    code: try form.required("code"),
                    verifier: try form.required("code_verifier"),
                    redirect: form["redirect_uri"],
                    resource: form["resource"],
                    client: client,
                    origin: origin
                )
            )
        case .deviceCode:
            return try devices.redeem(
                try form.required("device_code"),
                resource: form["resource"],
                client,
                from: origin
            )
        case .clientCredentials: return try credentials(form, client)
        }
    }

    private func refresh(_ form: OAuthForm, _ client: OAuthClient, _ origin: Origin) throws(OAuthFailure) -> TokenAnswer
    {
        let answer = try sessions.refresh(
            Sessions.RefreshRequest(
                token: try form.required("refresh_token"),
                requestID: form["request_id"],
                resource: form["resource"],
                scope: form["scope"],
                client: client.id,
                origin: origin
            )
        )
        return TokenAnswer(answer)
    }

    /// For a program that acts for itself. Nothing is stored: the token lives for minutes, and to withdraw it, its
    /// client is removed.
    private func credentials(_ form: OAuthForm, _ client: OAuthClient) throws(OAuthFailure) -> TokenAnswer {
        guard !client.isPublic else {
            throw .refused(OAuthError(.unauthorizedClient, "a public client has no credentials of its own"))
        }
        let own = Scopes(words: client.scope.words.filter { Self.isForPrograms($0) }.joined(separator: " "))
        let scope = form["scope"].map { Scopes(words: $0) } ?? own
        guard scope.isSubset(of: own) else {
            throw .refused(OAuthError(.invalidScope, "the client may ask for these words: \(own.text)"))
        }
        let region = try region(form["resource"])
        let grant = Grant(subject: .client, client: client.id, scope: scope, region: region)
        measures.clientGrants.increment()
        return TokenAnswer(
            accessToken: issuer.accessToken(for: grant),
            expiresInSeconds: issuer.lifetimeSeconds,
            scope: scope.text,
            region: region
        )
    }

    /// Words about a person mean nothing without one; who can ask again needs no refresh token.
    private static func isForPrograms(_ word: String) -> Bool {
        word != Scopes.offline && !Scopes.identity.contains(word)
    }

    /// Nil, or our own address: a token for this service.
    private func region(_ resource: String?) throws(OAuthFailure) -> RegionRecord? {
        guard let resource else { return nil }
        let url = RegionSetting.withoutLastSlash(resource)
        if url == issuer.issuer { return nil }
        let found: RegionRecord?
        do throws(APIError) { found = try store.readOnce { db in try RegionTable.open(filesURL: url, db) } } catch {
            throw .api(error)
        }
        guard let found else {
            throw .refused(
                OAuthError(.invalidTarget, "the resource is not the files URL of a region that is open")
            )
        }
        return found
    }
}
