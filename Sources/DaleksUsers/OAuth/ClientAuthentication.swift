import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// Which program sends a request (RFC 6749, 2.3): proved by its secret, or for public ones just said.
struct ClientAuthentication: Sendable {
    let clients: Clients

    /// Who a request says that it is from.
    struct Claim: Sendable {
        let id: String
        let secret: String?
    }

    /// `fallback` is who asks where the request does not say.
    func client(
        of request: HTTPRequest,
        _ form: OAuthForm,
        fallback: OAuthClient? = nil
    ) throws(OAuthFailure) -> OAuthClient {
        guard let claim = try Self.claim(of: request, form) else {
            guard let fallback else { throw Self.unnamed }
            return fallback
        }
        return try prove(claim, try find(claim.id))
    }

    /// Nil where it does not say.
    private static func claim(of request: HTTPRequest, _ form: OAuthForm) throws(OAuthFailure) -> Claim? {
        let basic = try basic(request)
        let (named, secret) = (form["client_id"], form["client_secret"])
        if let basic {
            guard secret == nil, named == nil || named == basic.id else {
                throw .refused(OAuthError(.invalidRequest, "the client names itself in two ways"))
            }
            return basic
        }
        if let named { return Claim(id: named, secret: secret) }
        guard secret == nil else { throw unnamed }
        return nil
    }

    private func find(_ id: String) throws(OAuthFailure) -> OAuthClient? {
        do throws(APIError) { return try clients.find(id) } catch { throw .api(error) }
    }

    private func prove(_ claim: Claim, _ found: OAuthClient?) throws(OAuthFailure) -> OAuthClient {
        guard let client = found else { throw Self.refusal }
        guard let secret = claim.secret else {
            guard client.isPublic else { throw Self.refusal }
            return client
        }
        guard Clients.isSecret(secret, of: client) else { throw Self.refusal }
        return client
    }

    // MARK: Programs with a secret

    /// Who it says it is, to be proved when somebody has looked for it. Needs no database.
    static func claim(ofConfidential request: HTTPRequest, _ form: OAuthForm) throws(OAuthFailure) -> Claim {
        guard let claim = try claim(of: request, form) else { throw unnamed }
        // Neither is in the database, nor has a secret.
        guard Clients.isID(claim.id), claim.id != OAuthClient.house.id else { throw refusal }
        return claim
    }

    /// `secret` is of the program with that id, nil where there is none or it has none.
    func prove(_ claim: Claim, secret: Digest?) throws(OAuthFailure) {
        guard let said = claim.secret, let secret, Clients.isSecret(said, of: secret) else { throw Self.refusal }
    }

    /// The program that proved who it is: a public one cannot.
    func confidential(_ claim: Claim) throws(OAuthFailure) -> OAuthClient {
        let client = try prove(claim, try find(claim.id))
        guard !client.isPublic else { throw Self.refusal }
        return client
    }

    /// Id and secret are each form-encoded before they are put together.
    private static func basic(_ request: HTTPRequest) throws(OAuthFailure) -> Claim? {
        let values = request.fields.values("Authorization")
        guard let value = values.first else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard values.count == 1, parts.count == 2, parts[0].lowercased() == "basic",
            let bytes = Base64.decode(parts[1], .standard), let text = String(validating: bytes, as: UTF8.self),
            let colon = text.firstIndex(of: ":"), let id = PercentEncoding.decodeForm(text[..<colon]),
            let secret = PercentEncoding.decodeForm(text[text.index(after: colon)...])
        else { throw refusal }
        return Claim(id: id, secret: secret)
    }

    private static let unnamed = OAuthFailure.refused(
        OAuthError(.invalidClient, "the request does not say which client sends it")
    )

    /// The same for an unknown client and a wrong secret.
    private static let refusal = OAuthFailure.refused(
        OAuthError(.invalidClient, "the client is not known here, or its secret is wrong")
    )
}
