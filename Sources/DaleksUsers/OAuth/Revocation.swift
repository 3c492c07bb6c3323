import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// `POST /oauth/revoke` (RFC 7009): either token ends the session. What is no token of ours is fine too.
struct Revocation: Sendable {
    let authentication: ClientAuthentication
    let sessions: Sessions
    let check: AccessTokenCheck

    func answer(_ form: OAuthForm, _ request: HTTPRequest) throws(OAuthFailure) {
        let client = try authentication.client(of: request, form, fallback: .house)
        let token = try form.required("token")
        guard let session = try session(of: token) else { return }
        guard session.client == client.id else { throw .refused(Sessions.foreign) }
        do throws(APIError) {
            _ = try sessions.revoke(session.id, of: session.account, from: Origin(request))
        } catch {
            throw .api(error)
        }
    }

    private func session(of token: String) throws(OAuthFailure) -> SessionState? {
        do throws(APIError) {
            if let session = try sessions.session(of: token) { return session }
            return try check.access(token)?.session
        } catch {
            throw .api(error)
        }
    }
}
