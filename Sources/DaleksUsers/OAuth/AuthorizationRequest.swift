import DaleksCore
import DaleksHTTP

/// What a program asks when it sends somebody here (RFC 6749, 4.1.1, as OAuth 2.1 narrows it; OpenID Connect).
struct AuthorizationRequest: Sendable {
    enum Prompt: String, Sendable {
        case none, login, consent
        case selectAccount = "select_account"
    }

    let client: OAuthClient
    /// Where the answer goes.
    let redirect: String
    /// Whether the request named it: then the token request must, too.
    let isRedirectNamed: Bool
    let state: String?
    let scope: Scopes
    let challenge: String
    let resource: String?
    let nonce: String?
    let prompts: Set<Prompt>
    /// How long ago the user may have proved who they are.
    let ageMax: Duration?
    let hint: String?

    /// Why there is no such request, and who is told.
    enum Refusal: Error, Sendable {
        /// The user, on a page: an address that nobody vouches for is nowhere to send them.
        case page(String)
        /// The program, at its address.
        case redirect(OAuthError, to: String, state: String?)
        case api(APIError)
    }

    init(_ items: QueryItems, _ clients: Clients) throws(Refusal) {
        let form: OAuthForm
        do throws(OAuthFailure) { form = try OAuthForm(items) } catch { throw Self.shown(error) }
        client = try Self.client(form, clients)
        isRedirectNamed = form["redirect_uri"] != nil
        redirect = try Self.redirect(form["redirect_uri"], of: client)
        state = form["state"]
        do throws(OAuthError) {
            try Self.checkKind(form)
            challenge = try Self.challenge(form)
            scope = try Self.scope(form["scope"], of: client)
            resource = form["resource"]
            nonce = try Self.bounded(form, "nonce")
            hint = try Self.bounded(form, "login_hint")
            prompts = try Self.prompts(form["prompt"])
            ageMax = try Self.age(form["max_age"])
        } catch {
            throw .redirect(error, to: redirect, state: state)
        }
    }

    // MARK: What must be right before anybody is sent anywhere

    private static func shown(_ failure: OAuthFailure) -> Refusal {
        switch failure {
        case .refused(let error): .page(error.detail)
        case .api(let error): .api(error)
        }
    }

    private static func client(_ form: OAuthForm, _ clients: Clients) throws(Refusal) -> OAuthClient {
        guard let id = form["client_id"] else { throw .page("the request does not say which program it comes from") }
        let found: OAuthClient?
        do throws(APIError) { found = try clients.find(id) } catch { throw .api(error) }
        guard let client = found, client.grants.contains(.authorizationCode) else {
            throw .page("the program that sent you here is not known, or may not log people in this way")
        }
        return client
    }

    private static func redirect(_ named: String?, of client: OAuthClient) throws(Refusal) -> String {
        if let named {
            guard client.redirects.contains(where: { $0.matches(named) }) else {
                throw .page("the address to come back to is not one that was registered for this program")
            }
            return named
        }
        guard client.redirects.count == 1 else {
            throw .page("the request does not say which of the program's addresses to come back to")
        }
        return client.redirects[0].text
    }

    // MARK: What the program is told

    private static func checkKind(_ form: OAuthForm) throws(OAuthError) {
        if form["request"] != nil { throw OAuthError(.requestNotSupported, "request objects are not read here") }
        if form["request_uri"] != nil { throw OAuthError(.requestURINotSupported, "request_uri is not read here") }
        if form["registration"] != nil { throw OAuthError(.registrationNotSupported, "clients are registered before") }
        guard let type = form["response_type"] else {
            throw OAuthError(.invalidRequest, "the parameter response_type is missing")
        }
        guard type == "code" else { throw OAuthError(.unsupportedResponseType, "only code is answered here") }
        guard ["query", nil].contains(form["response_mode"]) else {
            throw OAuthError(.invalidRequest, "the only response_mode is query")
        }
    }

    private static func challenge(_ form: OAuthForm) throws(OAuthError) -> String {
        guard let challenge = form["code_challenge"] else {
            throw OAuthError(.invalidRequest, "the parameter code_challenge is missing: this needs PKCE")
        }
        // A missing method means `plain`, which proves nothing to whoever sees the request.
        guard form["code_challenge_method"] == PKCE.method else {
            throw OAuthError(.invalidRequest, "code_challenge_method must be S256")
        }
        guard PKCE.isChallenge(challenge) else {
            throw OAuthError(.invalidRequest, "code_challenge is not base64url of 32 bytes")
        }
        return challenge
    }

    /// What a client gets for what it asks: each word that it may have; without any, all that it may have.
    static func scope(_ asked: String?, of client: OAuthClient) throws(OAuthError) -> Scopes {
        guard let asked else { return client.scope }
        let scope = Scopes(words: asked)
        guard !scope.isEmpty, scope.isSubset(of: client.scope) else {
            throw OAuthError(.invalidScope, "the client may ask for these words: \(client.scope.text)")
        }
        return scope
    }

    private static func bounded(_ form: OAuthForm, _ name: String) throws(OAuthError) -> String? {
        guard let text = form[name] else { return nil }
        guard text.utf8.count <= Limits.Users.parameterBytesMax else {
            throw OAuthError(.invalidRequest, "the parameter \(name) is too long")
        }
        return text
    }

    private static func prompts(_ text: String?) throws(OAuthError) -> Set<Prompt> {
        var prompts: Set<Prompt> = []
        for word in (text ?? "").split(separator: " ") {
            guard let prompt = Prompt(rawValue: String(word)) else {
                throw OAuthError(.invalidRequest, "prompt has a word that is not known")
            }
            prompts.insert(prompt)
        }
        guard !prompts.contains(.none) || prompts.count == 1 else {
            throw OAuthError(.invalidRequest, "prompt is none or something, not both")
        }
        return prompts
    }

    private static func age(_ text: String?) throws(OAuthError) -> Duration? {
        guard let text else { return nil }
        guard let seconds = Int64(text), (0...1_000_000_000).contains(seconds) else {
            throw OAuthError(.invalidRequest, "max_age is not a number of seconds")
        }
        return .seconds(seconds)
    }
}
