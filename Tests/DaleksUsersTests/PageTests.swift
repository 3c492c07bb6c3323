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

/// The pages: who gets in, what a form must bring, and where nobody is sent.
struct PageTests {
    @Test func `a page lets no script run, is framed by nobody, and is kept by nobody`() throws {
        let service = try TestService()
        let page = try Browser(service).get("/login")

        let policy = try required(page.fields["Content-Security-Policy"])
        #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
        #expect(policy.contains("form-action 'self';") && policy.contains("base-uri 'none'"))
        #expect(page.fields["X-Frame-Options"] == "DENY" && page.fields["Cache-Control"] == "no-store")
        #expect(page.fields["X-Content-Type-Options"] == "nosniff")
        #expect(page.fields["Referrer-Policy"] == "same-origin")
        #expect(!page.text.contains("<script") && !page.text.contains(" style=") && !page.text.contains(" onclick"))
        #expect(page.text.contains("lang=\"en\"") && page.text.contains("width=device-width"))
        let style = try required(page.text.firstMatch(of: /href="(\/pages\/style.css\?[0-9a-f]+)"/)?.1)
        let sheet = try service.send(.get, String(style))
        #expect(sheet.status == .ok && sheet.fields["Content-Type"] == "text/css; charset=utf-8")
        #expect(try required(sheet.fields["Cache-Control"]).contains("immutable"))
    }

    @Test func `cookies are for this host, over TLS, and for no script`() throws {
        let service = try TestService()
        try service.register()
        let without = Browser(service)
        _ = try without.logIn(at: "/account")
        #expect(without.cookieNames == ["daleks-without-tls"])
        #expect(try without.get("/account").text.contains("without TLS"))

        // As behind a proxy that speaks TLS.
        let secure = try TestService { $0.issuer = "https://users.example" }
        let page = try secure.send(.get, "/login")
        let cookie = try required(page.fields["Set-Cookie"])
        #expect(cookie.hasPrefix("__Host-daleks-form=") && cookie.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure"))
        #expect(!String(decoding: page.body, as: UTF8.self).contains("without TLS"))
    }

    @Test func `whoever is logged in finds the way out from each page`() throws {
        let service = try TestService()
        try service.register()
        let browser = Browser(service)
        _ = try browser.logIn(at: "/account")

        for path in ["/account", "/device"] {
            #expect(try browser.get(path).text.contains("<a class=\"person\" href=\"/account\">"), "\(path)")
        }
        #expect(try browser.get("/account").text.contains("action=\"/logout\""))
    }

    @Test func `without TLS pages are for this machine only`() throws {
        let service = try TestService { $0.issuer = "http://users.example" }

        let page = try service.send(.get, "/login")

        #expect(page.status == .forbidden && page.fields["Set-Cookie"] == nil)
    }

    @Test func `a wrong password is told from nothing, and a right one opens the account`() throws {
        let service = try TestService()
        try service.register()
        let browser = Browser(service)
        var form = try browser.get("/account").form("/login")
        form["email"] = "ann@example.com"
        form["password"] = "not this one"
        let wrong = try browser.post("/login", form)
        form["email"] = "nobody@example.com"
        let nobody = try browser.post("/login", form)

        #expect(wrong.status == 403 && wrong.text.contains("is wrong"))
        #expect(wrong.text.replacing("ann@", with: "nobody@") == nobody.text)
        #expect(!wrong.text.contains("not this one"))
        form["email"] = "ann@example.com"
        form["password"] = TestService.password
        #expect(try browser.post("/login", form).text.contains("Your account"))
    }

    @Test func `attempts at the page count as attempts anywhere`() throws {
        let service = try TestService()
        try service.register()
        let browser = Browser(service)
        var form = try browser.get("/account").form("/login")
        form["email"] = "ann@example.com"
        form["password"] = "not this one"
        let statuses = try (0..<7).map { _ in try browser.post("/login", form).status }

        #expect(statuses == [403, 403, 403, 403, 403, 429, 429])
        #expect(throws: (any Error).self) { try service.logIn() }
    }

    @Test func `a form that was not made here for this browser does nothing`() throws {
        let service = try TestService()
        try service.register()
        let (ann, eve) = (Browser(service), Browser(service))
        _ = try ann.logIn(at: "/account")
        try service.register("eve@example.com")
        _ = try eve.logIn(at: "/account", email: "eve@example.com")
        let foreign = try eve.get("/account").form("/logout")

        for form in [[:], ["proof": ""], ["proof": "x"], foreign] {
            #expect(try ann.post("/logout", form).status == 403)
        }
        #expect(try ann.get("/account").text.contains("ann@example.com"))
        // The right proof for another purpose is none.
        let own = try ann.get("/account").form("/logout")
        #expect(try ann.post("/account/sessions/end-others", own).status == 403)
        #expect(try ann.post("/logout", own).text.contains("name=\"password\""))
        #expect(try ann.get("/account").text.contains("name=\"password\""))
    }

    @Test func `a form from another site does nothing, even with the right proof`() throws {
        let service = try TestService()
        try service.register()
        let browser = Browser(service, origin: "https://evil.example")

        let form = try browser.get("/login").form("/login")
        let refused = try browser.post(
            "/login",
            form.merging(["email": "ann@example.com", "password": TestService.password]) { $1 }
        )
        #expect(refused.status == 403 && refused.text.contains("another address"))

        let cookie = browser.cookieNames
        #expect(cookie == ["daleks-form-without-tls"])
    }

    @Test func `logging in without our cookie is not logging in`() throws {
        let service = try TestService()
        try service.register()
        let browser = Browser(service)
        var form = try browser.get("/login").form("/login")
        browser.forgetCookies()
        form["email"] = "ann@example.com"
        form["password"] = TestService.password

        let page = try browser.post("/login", form)

        #expect(page.status == 403 && page.text.contains("cookies"))
        #expect(!browser.cookieNames.contains("daleks-without-tls"))
    }

    static let elsewhere = [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "/account@evil.example", "/docs", "/oauth/token", "/login?continue=/account", "/account#x", "/account\r\nX: y",
        "/oauth/authorize/../../x", " /account", "/account/../x",
    ]

    @Test func `a log-in leads to our own pages only`() throws {
        let service = try TestService()
        try service.register()

        for continuation in Self.elsewhere {
            let shown = try Browser(service).logIn(at: "/login?continue=" + PercentEncoding.encode(continuation))
            #expect(shown.left == nil && shown.status == 200, "\(continuation)")
            #expect(shown.text.contains("Your account"), "\(continuation)")
        }
    }

    @Test func `log-ins are listed, and ended one by one or all at once`() throws {
        let service = try TestService()
        try service.register()
        let laptop = try service.logIn()
        let program = try Program(service)
        _ = try program.session()
        let (browser, other) = (Browser(service), Browser(service))
        _ = try browser.logIn(at: "/account")
        _ = try other.logIn(at: "/account")

        let page = try browser.get("/account")
        #expect(page.text.contains("a laptop") && page.text.contains("An &lt;App&gt;"))
        #expect(page.text.contains("this browser"))
        let start = try required(page.text.firstRange(of: "a laptop"))
        let form = try Browser.Shown(status: 200, text: String(page.text[start.lowerBound...]), fields: [:], left: nil)
            .form("/account/sessions/end")
        #expect(try browser.post("/account/sessions/end", form).text.contains("was ended"))
        #expect(throws: (any Error).self) { try service.me(laptop) }
        #expect(try browser.post("/account/sessions/end", form).text.contains("had ended before"))

        let all = try browser.get("/account").form("/account/sessions/end-others")
        #expect(try browser.post("/account/sessions/end-others", all).text.contains("Every other"))
        #expect(try other.get("/account").text.contains("name=\"password\""))
        #expect(try browser.get("/account").status == 200)
    }

    @Test func `nobody ends the log-in of somebody else`() throws {
        let service = try TestService()
        try service.register()
        let session = try service.logIn()
        let sid = try service.verify(session.accessToken).reader.string("sid")
        try service.register("eve@example.com")
        let eve = Browser(service)
        _ = try eve.logIn(at: "/account", email: "eve@example.com")
        _ = try service.logIn("eve@example.com")
        var form = try eve.get("/account").form("/account/sessions/end")
        form["session"] = sid

        #expect(try eve.post("/account/sessions/end", form).status == 403)
        _ = try service.me(session)
    }

    @Test func `what people typed or named is shown and never run`() throws {
        let service = try TestService()
        let evil = "\"'><script>alert(1)</script>"
        _ = try service.users.register(
            RegistrationRequest(email: "ann@example.com", password: TestService.password, name: evil)
        )
        _ = try service.users.logIn(
            LoginRequest(email: "ann@example.com", password: TestService.password, region: nil, device: evil)
        )
        let browser = Browser(service)

        for page in [
            try browser.get("/login?email=" + PercentEncoding.encode(evil)),
            try browser.logIn(at: "/account"),
            try browser.get("/device?user_code=" + PercentEncoding.encode(evil)),
        ] {
            #expect(!page.text.contains("<script") && page.status == 200)
        }
        #expect(try browser.get("/account").text.contains("&lt;script&gt;"))
    }

    @Test func `what forms carry for themselves is readable to their own browser's next step only`() {
        let (mine, other) = (FormProof(secret: [1]), FormProof(secret: [2]))
        let sealed = mine.seal("secret", "step")

        #expect(mine.open(sealed, "step") == "secret")
        #expect(mine.open(sealed, "another step") == nil && other.open(sealed, "step") == nil)
        #expect(!sealed.contains("secret") && mine.seal("secret", "step") != sealed)
    }
}
