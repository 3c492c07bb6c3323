import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// What somebody tries who has a token, a mailbox or a moment that is not theirs.
@Suite(.serialized)
struct HardeningTests {
    private func ask(
        _ service: TestService,
        _ method: HTTPMethod,
        _ path: String,
        _ token: String,
        _ body: JSONObject? = nil
    ) throws -> ClientResponse {
        try service.send(
            method,
            path,
            body.map { String(decoding: $0.jsonBytes, as: UTF8.self) },
            fields: [("Authorization", "Bearer \(token)")]
        )
    }

    // MARK: A region that keeps what it is shown

    @Test func `a region's token opens nothing here, whatever it is shown for`() throws {
        let service = try TestService()
        defer { service.stop() }
        let admin = try Person.admin(service)
        let token = admin.session.accessToken
        let personal = service.service.routes.filter { route in
            ["/v1/me", "/v1/admin/"].contains { route.pattern.hasPrefix($0) } && route.pattern != "/v1/admin/first"
        }
        let asked: [(HTTPMethod, String)] =
            personal.map { route in
                let segments = route.pattern.split(separator: "/").map { $0.hasPrefix(":") ? "1" : String($0) }
                return (route.method, "/" + segments.joined(separator: "/"))
            } + [(.get, "/v1/users/find?email=root@example.com"), (.post, Routes.Users.names)]
        #expect(asked.count >= 40)
        for (method, path) in asked {
            let answer = try ask(service, method, path, token, method == .get ? nil : ["ids": []])
            #expect(answer.status == .unauthorized && answer.text.contains("for a region"), "\(method) \(path)")
        }
        // Nor does it end the log-in.
        let ending = try service.form(Routes.Users.revoke, [("token", token)])
        #expect(ending.status == .badRequest && ending.code == "unsupported_token_type")
        #expect(admin.isIn)

        // The programs of this house ask for one that is for this service, by the refresh token that no region sees.
        let own = try service.users.refresh(
            try required(admin.session.refreshToken),
            requestID: "0123456789abcdef",
            resource: service.service.issuer + "/"
        )
        #expect(try ask(service, .get, "/v1/admin/users", own.accessToken).status == .ok)
        #expect(throws: JWTError.wrongAudience) { try service.verify(own.accessToken) }
    }

    @Test func `a client asks for a token of its own to manage things, and keeps the one for its region`() throws {
        let service = try TestService()
        defer { service.stop() }
        let admin = try Person.admin(service)
        let credentials = Credentials(
            usersURL: service.url,
            user: try required(admin.session.user),
            region: try required(admin.session.region),
            accessToken: admin.session.accessToken,
            accessExpires: TimeSource.system.wall + .seconds(600),
            refreshToken: try required(admin.session.refreshToken),
            caFile: nil
        )
        let store = CredentialStore(path: service.folder.path("credentials/default.json"))
        try store.save(credentials)
        let tokens = AccessTokens(credentials, store: store, users: service.users, logger: .silent)
        let client = AccountClient(url: service.url, http: service.http, tokens: tokens)

        _ = try client.ask(.get, "/v1/admin/users")
        _ = try client.ask(.get, "/v1/me/sessions")

        let kept = try store.load()
        #expect(kept.accessToken == credentials.accessToken && kept.refreshToken != credentials.refreshToken)
        #expect(try tokens.token() == credentials.accessToken)
        // Whoever refreshes for the region next goes on from there.
        _ = try service.verify(try tokens.token(insteadOf: credentials.accessToken))
        _ = try client.ask(.get, "/v1/admin/users")
    }

    // MARK: Letters that somebody else wants typed

    @Test func `a device that somebody let in uses files and cannot change the account`() throws {
        let service = try TestService()
        defer { service.stop() }
        try service.register()
        let invitation = try service.form(
            Routes.Users.deviceAuthorization,
            [("client_id", "daleks"), ("scope", "files:read files:write offline_access"), ("device_name", "a server")]
        ).json
        let browser = Browser(service)
        let page = try browser.logIn(at: "/device?user_code=\(try invitation.string("user_code"))")
        let asked = try browser.post("/device", try page.form("/device"))
        #expect(asked.text.contains("cannot change your account"))
        var form = try asked.form("/device/decision")
        form["decision"] = "allow"
        _ = try browser.post("/device/decision", form)
        let tokens = try service.form(
            Routes.Users.token,
            [
                ("grant_type", GrantKind.deviceCode.rawValue), ("device_code", try invitation.string("device_code")),
                ("client_id", "daleks"),
            ]
        ).json
        let session = try service.users.refresh(
            try tokens.string("refresh_token"),
            requestID: "0123456789abcdef",
            resource: nil
        )

        let own = try Person.ownToken(session, at: service)
        let answer = try ask(service, .patch, Routes.Users.me, own, ["name": "Eve"])
        #expect(answer.status == .forbidden && answer.text.contains("daleks login"))
        #expect(try ask(service, .get, "/v1/me/export", own).status == .forbidden)
        let typed = try Person.ownToken(try service.logIn(), at: service)
        #expect(try ask(service, .patch, Routes.Users.me, typed, ["name": "Ann B."]).status == .ok)
    }

    // MARK: A link that outlives its reason

    private enum Ending: CaseIterable { case password, reset, lock, sessions, adminSessions }

    @Test func `a link to a new address dies with whatever throws strangers out, and the old address hears of it`()
        throws
    {
        let service = try TestService { $0.registration = .mail }
        defer { service.stop() }
        let admin = try Person.admin(service)
        for (index, ending) in Ending.allCases.enumerated() {
            let email = "ann\(index)@example.com"
            let made = try admin.ask(
                .post,
                "/v1/admin/users",
                ["email": .string(email), "name": "Ann", "password": .string(TestService.password)]
            ).reader
            let id = try made.string("id")
            let thief = try Person(loggingIn: email, at: service)
            _ = try thief.ask(
                .patch,
                Routes.Users.me,
                ["email": .string("eve\(index)@evil.example"), "password": .string(TestService.password)]
            )
            _ = try service.mail { $0.contains("To: <\(email)>") && $0.contains("wants") }
            let letter = try service.mail { $0.contains("To: <eve\(index)@evil.example>") }
            let token = try service.token(in: letter)

            switch ending {
            case .password:
                let body: JSONObject = [
                    "password": .string(TestService.password), "new_password": "another horse altogether",
                ]
                #expect(
                    try Person(loggingIn: email, at: service).ask(.post, "/v1/me/password", body).status == .noContent
                )
            case .reset:
                _ = try service.json(.post, "/v1/password/forgot", ["email": .string(email)])
                let reset = try service.token(
                    in: try service.mail { $0.contains("To: <\(email)>") && $0.contains("/reset?token=") }
                )
                let body: JSONObject = ["token": .string(reset), "password": "another horse altogether"]
                #expect(try service.json(.post, "/v1/password/reset", body).status == .noContent)
            case .lock:
                #expect(try admin.ask(.patch, "/v1/admin/users/\(id)", ["is_locked": true]).status == .ok)
            case .sessions:
                let ann = try Person(loggingIn: email, at: service)
                #expect(try ann.ask(.delete, "/v1/me/sessions?except=current").status == .noContent)
            case .adminSessions:
                #expect(try admin.ask(.delete, "/v1/admin/users/\(id)/sessions").status == .noContent)
            }

            let moved = try service.json(.post, Routes.Users.verify, ["token": .string(token)])
            #expect(moved.status == .gone, "\(ending)")
        }
    }

    // MARK: An address that somebody else registers at the same time

    @Test func `whoever confirms an address must know the password, and other registrations of it are void`() throws {
        let service = try TestService { $0.registration = .mail }
        defer { service.stop() }
        func register(_ password: String) throws {
            let body: JSONObject = ["email": "ann@example.com", "name": "Ann", "password": .string(password)]
            #expect(try service.json(.post, Routes.Users.users, body).status == .accepted)
        }
        try register("the password of an attacker")
        let evil = try service.token(in: try service.mails(atLeast: 1)[0])
        try register(TestService.password)
        let good = try service.token(in: try service.mails(atLeast: 2)[1])
        func confirm(_ token: String, _ password: String?) throws -> ClientResponse {
            var body: JSONObject = ["token": .string(token)]
            if let password { body["password"] = .string(password) }
            return try service.json(.post, Routes.Users.verify, body)
        }

        #expect(try confirm(evil, nil).status != .created)
        #expect(try confirm(evil, TestService.password).code == "invalid_credentials")
        let browser = Browser(service)
        let page = try browser.get("/verify?token=\(good)")
        var form = try page.form("/verify")
        #expect(page.text.contains("type=\"password\""))
        form["password"] = TestService.password
        #expect(try browser.post("/verify", form).text.contains("ann@example.com is confirmed"))

        #expect(try confirm(evil, "the password of an attacker").status == .gone)
        #expect(throws: Never.self) { try service.logIn() }
    }

    // MARK: Guesses

    @Test func `an app password does not clean the slate of guesses at the password`() throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source)
        defer { service.stop() }
        let ann = try Person(service)
        let made = try ann.ask(
            .post,
            "/v1/me/app-passwords",
            ["name": "printer", "password": .string(TestService.password)]
        )
        let secret = try made.reader.string("secret")
        func guess() -> ClientFailure? {
            do throws(ClientFailure) {
                _ = try service.users.logIn(
                    LoginRequest(email: "ann@example.com", password: "a wrong guess", region: nil, device: "x")
                )
                return nil
            } catch { return error }
        }

        // Four guesses, a log-in by the program, and so on: the fifth wrong one must still be the last.
        for _ in 0..<4 { #expect(guess()?.code == "invalid_credentials") }
        _ = try service.logIn(password: secret)
        #expect(guess()?.code == "invalid_credentials")
        #expect(guess()?.code != "invalid_credentials")
    }

    @Test func `a wrong code of the second factor is in the audit log`() throws {
        let service = try TestService()
        defer { service.stop() }
        let admin = try Person.admin(service)
        let ann = try Person(service)
        _ = try ann.turnOnSecondFactor()
        func refused() throws -> Int {
            let id = try required(ann.session.user).id
            let path = "/v1/admin/audit?user=\(id)&outcome=refused"
            return try admin.ask(.get, path).reader.array("entries").count
        }
        let before = try refused()

        #expect(throws: (any Error).self) { try Person(loggingIn: ann.email, code: "000000", at: service) }
        let body: JSONObject = ["password": .string(TestService.password), "code": "abcd-efgh"]
        #expect(try ann.ask(.delete, "/v1/me/totp", body).code == "mfa_required")

        #expect(try refused() == before + 2)
    }

    // MARK: Names

    @Test func `no program is called what a person's id is`() throws {
        let service = try TestService()
        defer { service.stop() }
        let ann = try service.register()

        for id in ["\(ann.id)", String(repeating: "0", count: 32)] {
            #expect(throws: APIError.self) { try Program(service, id: id) }
        }
    }
}
