import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem

@testable import DaleksUsers

/// What an administrator's request comes from where there is none.
extension Origin {
    static var test: Origin {
        get throws { Origin(try HTTPRequest(.get, "/")) }
    }
}

/// A program that is registered at a service, and what it does there.
struct Program {
    static let redirect = "https://app.example/back"

    let service: TestService
    let id: String
    let secret: String?
    let verifier = "a-verifier-of-the-right-length-0123456789-abc"

    init(
        _ service: TestService,
        id: String? = nil,
        isPublic: Bool = false,
        redirects: [String] = [Program.redirect],
        grants: Set<GrantKind> = [.authorizationCode, .refreshToken],
        scope: String = Scopes.known.text,
        idTokenAlgorithm: SignatureAlgorithm = .es256
    ) throws {
        let clients = service.service.clients
        let registered = try clients.register(
            Clients.Registration(
                id: id,
                name: "An <App> & \"more\"",
                isPublic: isPublic,
                redirects: redirects,
                grants: grants,
                scope: scope,
                idTokenAlgorithm: idTokenAlgorithm
            ),
            by: nil,
            from: try .test
        )
        self.service = service
        self.id = registered.client.id
        secret = registered.secret
    }

    var challenge: String { Base64.encode(SHA256.digest(of: Array(verifier.utf8)).bytes) }

    /// The address to send somebody to; nil removes a parameter.
    func authorizePath(_ changes: [(String, String?)] = []) -> String {
        var items = [
            ("response_type", "code"), ("client_id", id), ("redirect_uri", Self.redirect),
            ("scope", "files:read offline_access"), ("state", "a state & more"), ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]
        for (name, value) in changes {
            items.removeAll { $0.0 == name }
            if let value { items.append((name, value)) }
        }
        return "/oauth/authorize?" + items.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
    }

    /// Somebody logs in and agrees; the code.
    func code(_ changes: [(String, String?)] = [], browser: Browser? = nil) throws -> String {
        let browser = browser ?? Browser(service)
        var shown = try browser.get(authorizePath(changes))
        if shown.text.contains("name=\"password\"") { shown = try browser.logIn(at: authorizePath(changes)) }
        var form = try shown.form("/oauth/consent")
        form["decision"] = "allow"
        return try required(try browser.post("/oauth/consent", form).answer("code"), "code")
    }

    func redeem(_ code: String, _ changes: [(String, String?)] = []) throws -> ClientResponse {
        try send(
            Routes.Users.token,
            [
                ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", Self.redirect),
                ("code_verifier", verifier),
            ],
            changes
        )
    }

    /// With the program's own credentials.
    func send(
        _ path: String,
        _ items: [(String, String)],
        _ changes: [(String, String?)] = []
    ) throws -> ClientResponse {
        var items = items + [("client_id", id)] + (secret.map { [("client_secret", $0)] } ?? [])
        for (name, value) in changes {
            items.removeAll { $0.0 == name }
            if let value { items.append((name, value)) }
        }
        return try service.form(path, items)
    }

    func session(_ changes: [(String, String?)] = []) throws -> JSONReader {
        let response = try redeem(try code(changes))
        guard response.status == .ok else {
            throw TestFailure("no tokens: \(String(decoding: response.body, as: UTF8.self))")
        }
        return response.json
    }
}

extension ClientResponse {
    var json: JSONReader { JSONReader((try? JSONValue.parse(body)) ?? .null) }
}
