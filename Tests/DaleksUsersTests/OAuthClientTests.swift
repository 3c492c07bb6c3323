import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// Programs: how they are registered, how they prove who they are, and what they may ask for themselves.
struct OAuthClientTests {
    private func basic(_ id: String, _ secret: String) -> (String, String) {
        let pair = "\(PercentEncoding.encode(id)):\(PercentEncoding.encode(secret))"
        return ("Authorization", "Basic " + Base64.encode(Array(pair.utf8), .standard))
    }

    private func token(_ service: TestService, _ form: String, _ fields: [(String, String)]) throws -> ClientResponse {
        try service.send(
            .post,
            Routes.Users.token,
            form,
            type: "application/x-www-form-urlencoded",
            fields: fields
        )
    }

    @Test func `a program with a secret gets a token for itself, one way or the other`() throws {
        let service = try TestService()
        let program = try Program(service, redirects: [], grants: [.clientCredentials], scope: "files:read files:write")
        let secret = try required(program.secret)
        let form = "grant_type=client_credentials&resource=\(PercentEncoding.encode(TestService.here.filesURL))"

        let answer = try token(service, form, [basic(program.id, secret)])

        #expect(answer.status == .ok && answer.fields["Cache-Control"] == "no-store")
        let claims = try service.verify(try answer.json.string("access_token"))
        #expect(claims.subject == program.id)
        #expect(try claims.reader.string("client_id") == program.id)
        #expect(try claims.reader.optionalString("sid") == nil)
        #expect(try answer.json.optionalString("refresh_token") == nil)
        #expect(try answer.json.string("scope") == "files:read files:write")
        let own = try program.send(Routes.Users.token, [("grant_type", "client_credentials"), ("scope", "files:read")])
        #expect(
            try service.verify(try own.json.string("access_token"), audience: service.url).reader.string("scope")
                == "files:read"
        )
        #expect(try program.isActive(try own.json.string("access_token")) == true)
        try service.service.clients.remove(program.id, by: nil, from: try .test)
        #expect(try token(service, form, [basic(program.id, secret)]).status == .unauthorized)
    }

    @Test func `who does not prove who it is hears invalid_client, whatever is wrong`() throws {
        let service = try TestService()
        let program = try Program(service, redirects: [], grants: [.clientCredentials], scope: "files:read")
        let secret = try required(program.secret)
        let form = "grant_type=client_credentials"
        let cases: [(String, [(String, String)], String)] = [
            (form, [basic(program.id, "dls_wrong")], "invalid_client"),
            (form, [basic("nobody", secret)], "invalid_client"),
            (form, [basic("daleks", secret)], "invalid_client"),
            (form, [("Authorization", "Basic !!!")], "invalid_client"),
            (form, [("Authorization", "Basic")], "invalid_client"),
            (form, [("Authorization", "Bearer \(secret)")], "invalid_client"),
            (form + "&client_id=\(program.id)", [], "invalid_client"),
            (form + "&client_id=\(program.id)&client_secret=x", [], "invalid_client"),
            (form + "&client_secret=\(secret)", [], "invalid_client"),
            (form + "&client_id=\(program.id)&client_secret=\(secret)", [basic(program.id, secret)], "invalid_request"),
            (form + "&client_id=other", [basic(program.id, secret)], "invalid_request"),
            (form + "&scope=files:write", [basic(program.id, secret)], "invalid_scope"),
            (form + "&resource=http://elsewhere", [basic(program.id, secret)], "invalid_target"),
            ("grant_type=refresh_token&refresh_token=x", [basic(program.id, secret)], "unauthorized_client"),
        ]

        for (form, fields, error) in cases {
            let answer = try token(service, form, fields)
            #expect(answer.code == error, "\(form) \(fields)")
            #expect(answer.status == (error == "invalid_client" ? .unauthorized : .badRequest), "\(form) \(fields)")
            #expect((answer.fields["WWW-Authenticate"] != nil) == (error == "invalid_client"), "\(form) \(fields)")
            #expect(answer.fields["Cache-Control"] == "no-store")
        }
    }

    @Test func `another secret takes the place of the old one`() throws {
        let service = try TestService()
        let program = try Program(service, redirects: [], grants: [.clientCredentials], scope: "files:read")

        let renewed = try service.service.clients.renewSecret(of: program.id, by: nil, from: try .test)

        let form = "grant_type=client_credentials"
        #expect(try token(service, form, [basic(program.id, try required(program.secret))]).status == .unauthorized)
        #expect(try token(service, form, [basic(program.id, try required(renewed.secret))]).status == .ok)
    }

    @Test func `when a program is removed, what people let it do ends`() throws {
        let service = try TestService()
        try service.register()
        let program = try Program(service)
        let watcher = try Program(service)
        let access = try program.session().string("access_token")
        #expect(try watcher.isActive(access) == true)

        try service.service.clients.remove(program.id, by: nil, from: try .test)

        #expect(try watcher.isActive(access) == false)
    }

    @Test func `introspection says what a good token is for, and of others only that they are not good`() throws {
        let service = try TestService()
        let ann = try service.register()
        let program = try Program(service)
        let tokens = try program.session()
        let access = try tokens.string("access_token")

        let facts = try program.send(Routes.Users.introspect, [("token", access), ("token_type_hint", "x")]).json
        #expect(try facts.bool("active") && facts.string("sub") == "\(ann.id)")
        #expect(try facts.string("username") == ann.email && facts.string("client_id") == program.id)
        #expect(try facts.string("scope") == "files:read offline_access" && facts.string("iss") == service.url)
        let refresh = try program.send(Routes.Users.introspect, [("token", try tokens.string("refresh_token"))]).json
        #expect(try refresh.bool("active") && refresh.string("client_id") == program.id)

        for token in ["x", access + "x", String(access.dropLast(2)), "dlr_x", "a.b.c"] {
            let answer = try program.send(Routes.Users.introspect, [("token", token)])
            #expect(answer.body == Array(#"{"active":false}"#.utf8))
        }
        #expect(try program.send(Routes.Users.revoke, [("token", access)]).status == .ok)
        #expect(try program.isActive(access) == false)
        #expect(try program.isActive(try tokens.string("refresh_token")) == false)
    }

    /// What must not be registered.
    static let bad: [(String, @Sendable (inout Clients.Registration) -> Void)] = [
        ("no grant", { $0.grants = [] }),
        ("no name", { $0.name = "" }),
        ("a name of control characters", { $0.name = "a\u{7}" }),
        ("our id", { $0.id = "daleks" }),
        ("the pages' id", { $0.id = "pages" }),
        ("an id with a colon", { $0.id = "a:b" }),
        ("an unknown word", { $0.scope = "files:read root" }),
        ("no scope", { $0.scope = "" }),
        (
            "public with credentials",
            {
                $0.isPublic = true; $0.grants.insert(.clientCredentials)
            }
        ),
        ("codes without an address", { $0.redirects = [] }),
        ("an address without codes", { $0.grants = [.clientCredentials] }),
        ("plain http", { $0.redirects = ["http://app.example/back"] }),
        ("a fragment", { $0.redirects = ["https://app.example/#x"] }),
        ("a wildcard", { $0.redirects = ["https://*.app.example/"] }),
        ("a script", { $0.redirects = ["javascript:alert(1)"] }),
        ("data", { $0.redirects = ["data:text/html,x"] }),
        ("a user", { $0.redirects = ["https://me@app.example/"] }),
        ("no host", { $0.redirects = ["https:///back"] }),
        ("a line break", { $0.redirects = ["https://app.example/\nhttps://evil.example/"] }),
        ("a relative path", { $0.redirects = ["/back"] }),
    ]

    @Test func `what could never be used well is not registered`() throws {
        let service = try TestService()

        for (name, change) in Self.bad {
            var registration = Clients.Registration(
                id: nil,
                name: "App",
                isPublic: false,
                redirects: ["https://app.example/back"],
                grants: [.authorizationCode],
                scope: "files:read"
            )
            change(&registration)
            #expect(throws: APIError.self, "\(name)") {
                try service.service.clients.register(registration, by: nil, from: try .test)
            }
        }
        for good in ["com.example.app:/back", "https://app.example", "http://localhost/back", "http://[::1]:80/"] {
            #expect(RedirectURI(good) != nil, "\(good)")
        }
    }

    @Test func `the metadata tells programs all they need, twice`() throws {
        let service = try TestService()
        for path in [Routes.Users.metadata, Routes.Users.openIDMetadata] {
            let metadata = try service.send(.get, path).json
            #expect(try metadata.string("issuer") == service.url)
            for name in ["authorization", "token", "device_authorization", "revocation", "introspection", "userinfo"] {
                #expect(try metadata.string("\(name)_endpoint").hasPrefix(service.url + "/oauth/"))
            }
            #expect(try metadata.strings("code_challenge_methods_supported") == ["S256"])
            #expect(try metadata.bool("authorization_response_iss_parameter_supported"))
            #expect(try metadata.strings("grant_types_supported").count == 4)
        }
    }
}

extension Program {
    func isActive(_ token: String) throws -> Bool {
        try send(Routes.Users.introspect, [("token", token)]).json.bool("active")
    }
}
