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

/// Codes: what RFC 6749, 7636, 9207 and OAuth 2.1 ask of them.
struct OAuthCodeTests {
    private let clock = ManualClock()

    @Test func `somebody lets a program in, and it fetches its tokens`() throws {
        let service = try TestService()
        let ann = try service.register()
        let program = try Program(service)

        let browser = Browser(service)
        let consent = try browser.logIn(at: program.authorizePath([("nonce", "n-1"), ("scope", Scopes.known.text)]))
        #expect(consent.text.contains("An &lt;App&gt; &amp; &quot;more&quot;") && !consent.text.contains("<App>"))
        var form = try consent.form("/oauth/consent")
        form["decision"] = "allow"
        let back = try browser.post("/oauth/consent", form)

        #expect(try required(back.left).hasPrefix(Program.redirect + "?code="))
        #expect(back.answer("state") == "a state & more" && back.answer("iss") == service.url)
        let tokens = try program.redeem(try required(back.answer("code")))
        #expect(tokens.status == .ok && tokens.fields["Cache-Control"] == "no-store")
        #expect(try tokens.json.string("token_type") == "Bearer")
        let access = try service.verify(try tokens.json.string("access_token"))
        #expect(access.subject == "\(ann.id)")
        #expect(try access.reader.string("client_id") == program.id)
        #expect(try access.reader.string("scope") == Scopes.known.text)

        let identity = try service.identity(try tokens.json.string("id_token"), client: program.id)
        #expect(identity.subject == "\(ann.id)")
        #expect(try identity.reader.string("nonce") == "n-1" && identity.reader.string("email") == ann.email)
        let half = Array(SHA256.digest(of: Array(try tokens.json.string("access_token").utf8)).bytes.prefix(16))
        #expect(try identity.reader.string("at_hash") == Base64.encode(half))

        let info = try service.send(
            .get,
            Routes.Users.userInfo,
            fields: [("Authorization", "Bearer \(try tokens.json.string("access_token"))")]
        )
        #expect(try info.json.string("sub") == "\(ann.id)" && info.json.string("name") == ann.name)

        let next = try program.send(
            Routes.Users.token,
            [("grant_type", "refresh_token"), ("refresh_token", try tokens.json.string("refresh_token"))]
        )
        #expect(next.status == .ok)
        #expect(try next.json.string("refresh_token") != tokens.json.string("refresh_token"))
    }

    @Test func `a program that was let in manages no account`() throws {
        let service = try TestService()
        try service.register()
        let program = try Program(service)
        let refreshToken = try program.session([("scope", Scopes.known.text)]).string("refresh_token")
        let token = try program.send(
            Routes.Users.token,
            [
                ("grant_type", GrantKind.refreshToken.rawValue), ("refresh_token", refreshToken),
                ("resource", service.service.issuer),
            ]
        ).json.string("access_token")

        let response = try service.send(.get, Routes.Users.me, fields: [("Authorization", "Bearer \(token)")])

        #expect(response.status == .forbidden)
        #expect(try required(response.fields["WWW-Authenticate"]).contains("insufficient_scope"))
    }

    @Test func `a code is good once, and its second use ends what the first one got`() throws {
        let service = try TestService()
        try service.register()
        let program = try Program(service)
        let code = try program.code()
        let first = try program.redeem(code)

        let second = try program.redeem(code)

        #expect(first.status == .ok && second.code == "invalid_grant")
        let refresh = try program.send(
            Routes.Users.token,
            [("grant_type", "refresh_token"), ("refresh_token", try first.json.string("refresh_token"))]
        )
        #expect(refresh.code == "invalid_grant")
        #expect(try program.isActive(try first.json.string("access_token")) == false)
        #expect(service.log.contains { $0.contains("came twice") })
    }

    @Test func `of sixteen at once with one code at most one gets tokens, and they do not last`() throws {
        let service = try TestService()
        try service.register()
        let program = try Program(service)
        for _ in 0..<5 {
            let code = try program.code()
            let answers = try atOnce(16) { _ in try program.redeem(code) }.map { try $0.get() }
            #expect(answers.filter { $0.status == .ok }.count == 1)
            for answer in answers where answer.status == .ok {
                #expect(try program.isActive(try answer.json.string("access_token")) == false)
            }
        }
    }

    @Test func `a code is for its program, its address, its proof, and a minute`() throws {
        let service = try TestService(time: clock.source)
        try service.register()
        let (program, other) = (try Program(service), try Program(service))
        let code = try program.code()

        #expect(try other.redeem(code).code == "invalid_grant")
        #expect(try program.redeem(code, [("redirect_uri", "https://app.example/back2")]).code == "invalid_grant")
        #expect(try program.redeem(code, [("redirect_uri", nil)]).code == "invalid_grant")
        #expect(try program.redeem(code, [("code_verifier", nil)]).code == "invalid_request")
        for verifier in ["x", program.challenge, program.verifier + "x", String(repeating: "é", count: 64)] {
            #expect(try program.redeem(code, [("code_verifier", verifier)]).code == "invalid_grant")
        }
        #expect(try program.redeem(code, [("client_secret", "dls_wrong")]).status == .unauthorized)
        #expect(try program.redeem(code + "x").code == "invalid_grant")
        clock.advance(by: .seconds(59))
        #expect(try program.redeem(code).status == .ok)
        let late = try program.code()
        clock.advance(by: .seconds(60))
        #expect(try program.redeem(late).code == "invalid_grant")
    }

    @Test func `a program that asked for RS256 gets its ID tokens so, and everything else as before`() throws {
        let service = try TestService()
        let ann = try service.register()
        let program = try Program(service, idTokenAlgorithm: .rs256)

        let tokens = try program.session([("scope", "openid email files:read")])

        let identity = try service.identity(try tokens.string("id_token"), client: program.id, .rs256)
        #expect(identity.subject == "\(ann.id)")
        _ = try service.verify(try tokens.string("access_token"))
        #expect(throws: JWTError.self) {
            try service.identity(try tokens.string("id_token"), client: program.id, .es256)
        }
        // An administrator who was sent one is told what it is.
        let body: JSONObject = ["token": .string(try tokens.string("id_token"))]
        let finding = try Person.admin(service).ask(.post, "/v1/admin/tokens/inspect", body).json
        #expect(try finding.string("kind") == "id_token" && finding.bool("is_valid"))
        let metadata = try service.send(.get, Routes.Users.openIDMetadata).json
        #expect(try metadata.strings("id_token_signing_alg_values_supported") == ["ES256", "RS256"])
    }

    /// What is wrong, and what the program is told.
    static let refusals: [(changes: [(String, String?)], error: String)] = [
        ([("response_type", nil)], "invalid_request"),
        ([("response_type", "token")], "unsupported_response_type"),
        ([("response_type", "code id_token")], "unsupported_response_type"),
        ([("response_mode", "fragment")], "invalid_request"),
        ([("code_challenge", nil)], "invalid_request"),
        ([("code_challenge_method", nil)], "invalid_request"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("code_challenge", "short")], "invalid_request"),
        ([("code_challenge", String(repeating: "A", count: 44))], "invalid_request"),
        ([("scope", "admin")], "invalid_scope"),
        ([("scope", "files:read everything")], "invalid_scope"),
        ([("scope", " ")], "invalid_scope"),
        ([("prompt", "none")], "login_required"),
        ([("prompt", "none login")], "invalid_request"),
        ([("prompt", "later")], "invalid_request"),
        ([("max_age", "-1")], "invalid_request"),
        ([("max_age", "soon")], "invalid_request"),
        ([("nonce", String(repeating: "n", count: 513))], "invalid_request"),
        ([("request", "eyJ")], "request_not_supported"),
        ([("request_uri", "https://evil.example")], "request_uri_not_supported"),
        ([("registration", "{}")], "registration_not_supported"),
    ]

    @Test func `what is wrong with a request is told to the program, with its state and our name`() throws {
        let service = try TestService()
        let program = try Program(service)

        for (changes, error) in Self.refusals {
            let shown = try Browser(service).get(program.authorizePath(changes))
            #expect(shown.answer("error") == error, "\(changes)")
            #expect(shown.answer("state") == "a state & more" && shown.answer("iss") == service.url, "\(changes)")
            #expect(try required(shown.left).hasPrefix(Program.redirect + "?"), "\(changes)")
        }
    }

    /// Where nobody may be sent anywhere.
    static let pages: [[(String, String?)]] = [
        [("client_id", nil)], [("client_id", "nobody")], [("client_id", "pages")], [("client_id", "x' OR '1'='1")],
        [("redirect_uri", "https://evil.example/back")], [("redirect_uri", "https://app.example/back/")],
        [("redirect_uri", "https://app.example/back?x")], [("redirect_uri", "https://app.example/Back")],
        [("redirect_uri", "https://app.example.evil.example/back")], [("redirect_uri", "HTTPS://app.example/back")],
        [("redirect_uri", "https://app.example/back#x")], [("redirect_uri", "https://app.example:443/back")],
        [("redirect_uri", "javascript:alert(1)")], [("redirect_uri", "https://user@app.example/back")],
        [("redirect_uri", "https://app.example/x/../back")], [("redirect_uri", "//app.example/back")],
    ]

    @Test func `nobody is sent to an address that was not registered`() throws {
        let service = try TestService()
        let program = try Program(service)

        for changes in Self.pages {
            let shown = try Browser(service).get(program.authorizePath(changes))
            #expect(shown.status == 400 && shown.left == nil, "\(changes)")
            #expect(try required(shown.fields["Content-Type"]).hasPrefix("text/html"), "\(changes)")
        }
    }

    @Test func `a parameter that stands twice is refused without sending anybody anywhere`() throws {
        let service = try TestService()
        let program = try Program(service)

        for extra in ["client_id=x", "redirect_uri=https%3A%2F%2Fevil.example", "scope=files:read", "state=y"] {
            let shown = try Browser(service).get(program.authorizePath() + "&" + extra)
            #expect(shown.status == 400 && shown.left == nil)
        }
    }

    @Test func `who says no sends the program away`() throws {
        let service = try TestService()
        try service.register()
        let program = try Program(service)
        let browser = Browser(service)
        var form = try browser.logIn(at: program.authorizePath()).form("/oauth/consent")
        form["decision"] = "deny"

        let back = try browser.post("/oauth/consent", form)

        #expect(back.answer("error") == "access_denied" && back.answer("code") == nil)
        #expect(try browser.get(program.authorizePath([("prompt", "none")])).answer("error") == "consent_required")
    }

    @Test func `a log-in that is too old, or asked for, happens again`() throws {
        let service = try TestService(time: clock.source)
        try service.register()
        let program = try Program(service)
        let browser = Browser(service)
        _ = try browser.logIn(at: "/account")
        clock.advance(by: .seconds(100))

        #expect(try browser.get(program.authorizePath()).text.contains("/oauth/consent"))
        for change in [("prompt", "login"), ("max_age", "99"), ("max_age", "0"), ("prompt", "login consent")] {
            let page = try browser.get(program.authorizePath([change]))
            #expect(page.text.contains("name=\"password\""), "\(change)")
            #expect(try browser.logIn(at: program.authorizePath([change])).text.contains("/oauth/consent"), "\(change)")
            clock.advance(by: .seconds(100))
        }
        #expect(
            try browser.get(program.authorizePath([("max_age", "99"), ("prompt", "none")])).answer("error")
                == "login_required"
        )
    }

    @Test func `a program on the machine itself takes any free port, and nothing else changes`() throws {
        let service = try TestService()
        try service.register()
        let program = try Program(
            service,
            isPublic: true,
            redirects: ["http://127.0.0.1/back?x=1", "http://[::1]/back", "http://localhost:99/back"]
        )
        func lets(_ redirect: String) throws -> Bool {
            try Browser(service).get(program.authorizePath([("redirect_uri", redirect)])).status == 200
        }

        for good in ["http://127.0.0.1:1/back?x=1", "http://127.0.0.1:65535/back?x=1", "http://[::1]:8080/back"] {
            #expect(try lets(good), "\(good)")
        }
        for bad in [
            "http://127.0.0.1:0/back?x=1", "http://127.0.0.1:65536/back?x=1", "http://127.0.0.1:/back?x=1",
            "http://127.0.0.1:1/back", "http://127.0.0.1:1/other?x=1", "http://127.0.0.1:1@evil.example/back?x=1",
            "http://127.0.0.1:12.evil.example/back?x=1", "http://localhost:98/back", "http://127.0.0.2:1/back?x=1",
            "https://[::1]:8080/back", "http://[::1]:+1/back",
        ] {
            #expect(try !lets(bad), "\(bad)")
        }
    }

    /// RFC 8707: named with the question, with the code, or with both.
    @Test func `the first token is for the region that the program names, and for no other than was agreed to`() throws
    {
        let service = try TestService()
        try service.register()
        let program = try Program(service)
        func audience(_ agreed: String?, _ asked: String?) throws -> String? {
            let answer = try program.redeem(try program.code([("resource", agreed)]), [("resource", asked)])
            guard answer.status == .ok else { return answer.code }
            let parts = try answer.json.string("access_token").split(separator: ".")
            let payload = try required(Base64.decode(parts[1], .url))
            return try JSONReader(try JSONValue.parse(payload)).string("aud")
        }
        let (here, there) = (TestService.here.filesURL, TestService.there.filesURL)

        #expect(try audience(there, nil) == there)
        #expect(try audience(nil, there) == there)
        #expect(try audience(there, there + "/") == there)
        #expect(try audience(there, here) == "invalid_target")
        #expect(try audience(nil, "https://nowhere.example") == "invalid_target")
    }

    @Test func `without offline_access there is nothing to refresh, and the session ends with its token`() throws {
        let service = try TestService(time: clock.source)
        try service.register()
        let program = try Program(service)

        let tokens = try program.session([("scope", "files:read")])

        #expect(try tokens.optionalString("refresh_token") == nil)
        #expect(try program.isActive(try tokens.string("access_token")) == true)
        clock.advance(by: .seconds(601))
        #expect(try program.isActive(try tokens.string("access_token")) == false)
    }

    @Test func `one program's refresh token is nothing in the hands of another`() throws {
        let service = try TestService()
        try service.register()
        let (program, other) = (try Program(service), try Program(service))
        let token = try program.session().string("refresh_token")
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)]

        #expect(try other.send(Routes.Users.token, form).code == "invalid_grant")
        #expect(try service.form(Routes.Users.token, form).code == "invalid_grant")
        #expect(try other.send(Routes.Users.revoke, [("token", token)]).code == "invalid_grant")
        #expect(try other.isActive(token) == false)
        #expect(try program.isActive(token) == true)

        #expect(try program.send(Routes.Users.token, form).status == .ok)
    }

    @Test func `a browser's cookie is no refresh token`() throws {
        let service = try TestService()
        try service.register()
        let browser = Browser(service)
        _ = try browser.logIn(at: "/account")
        let cookie = try required(browser.cookie("daleks-without-tls"))

        for client in ["daleks", "pages"] {
            let response = try service.form(
                Routes.Users.token,
                [("grant_type", "refresh_token"), ("refresh_token", cookie), ("client_id", client)]
            )
            #expect(response.status != .ok)
        }
        #expect(try browser.get("/account").status == 200)
    }
}
