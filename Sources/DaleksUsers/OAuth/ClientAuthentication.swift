import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// Which program sends a request (RFC 6749, 2.3): proved by its secret, or for public ones just said.
struct ClientAuthentication: Sendable {
    let clients: Clients

    /// `fallback` is who asks where the request does not say.
    func client(
        of request: HTTPRequest,
        _ form: OAuthForm,
        fallback: OAuthClient? = nil
    ) throws(OAuthFailure) -> OAuthClient {
        let basic = try Self.basic(request)
        let (named, secret) = (form["client_id"], form["client_secret"])
        if let basic {
            guard secret == nil, named == nil || named == basic.id else {
                throw .refused(OAuthError(.invalidRequest, "the client names itself in two ways"))
            }
            return try check(basic.id, basic.secret)
        }
        guard let named else {
            guard let fallback, secret == nil else {
                throw .refused(OAuthError(.invalidClient, "the request does not say which client sends it"))
            }
            return fallback
        }
        return try check(named, secret)
    }

    /// One that proved who it is: a public client cannot.
    func confidential(_ request: HTTPRequest, _ form: OAuthForm) throws(OAuthFailure) -> OAuthClient {
        let client = try client(of: request, form)
        guard !client.isPublic else { throw Self.refusal }
        return client
    }

    private func check(_ id: String, _ secret: String?) throws(OAuthFailure) -> OAuthClient {
        let found: OAuthClient?
        do throws(APIError) { found = try clients.find(id) } catch { throw .api(error) }
        guard let client = found else { throw Self.refusal }
        guard let secret else {
            guard client.isPublic else { throw Self.refusal }
            return client
        }
        guard Clients.isSecret(secret, of: client) else { throw Self.refusal }
        return client
    }

    /// Id and secret are each form-encoded before they are put together.
    private static func basic(_ request: HTTPRequest) throws(OAuthFailure) -> (id: String, secret: String)? {
        let values = request.fields.values("Authorization")
        guard let value = values.first else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard values.count == 1, parts.count == 2, parts[0].lowercased() == "basic",
            let bytes = Base64.decode(parts[1], .standard), let text = String(validating: bytes, as: UTF8.self),
            let colon = text.firstIndex(of: ":"), let id = PercentEncoding.decodeForm(text[..<colon]),
            let secret = PercentEncoding.decodeForm(text[text.index(after: colon)...])
        else { throw refusal }
        return (id, secret)
    }

    /// The same for an unknown client and a wrong secret.
    private static let refusal = OAuthFailure.refused(
        OAuthError(.invalidClient, "the client is not known here, or its secret is wrong")
    )
}
