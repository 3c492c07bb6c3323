import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// `POST /oauth/revoke` (RFC 7009): either token ends the session. What is no token of ours is fine too.
///
/// Of an access token, a region knows as much as a program without a secret: such a program shows the refresh token,
/// which no region sees, or a token that is for this service.
struct Revocation: Sendable {
    let authentication: ClientAuthentication
    let sessions: Sessions
    let check: AccessTokenCheck

    func answer(_ form: OAuthForm, _ request: HTTPRequest) throws(OAuthFailure) {
        let client = try authentication.client(of: request, form, fallback: .house)
        let token = try form.required("token")
        guard let (session, isSecret) = try session(of: token) else { return }
        guard session.client == client.id else { throw .refused(Sessions.foreign) }
        guard isSecret || !client.isPublic else {
            throw .refused(OAuthError(.unsupportedTokenType, "a region knows this token: show the refresh token"))
        }
        do throws(APIError) {
            _ = try sessions.revoke(session.id, of: session.account, from: Origin(request))
        } catch {
            throw .api(error)
        }
    }

    /// The session behind a token, and whether no region was shown that token.
    private func session(of token: String) throws(OAuthFailure) -> (SessionState, isSecret: Bool)? {
        do throws(APIError) {
            if let session = try sessions.session(of: token) { return (session, true) }
            guard let access = try check.access(token), let session = access.session else { return nil }
            return (session, check.isForUs(access.claims))
        } catch {
            throw .api(error)
        }
    }
}
