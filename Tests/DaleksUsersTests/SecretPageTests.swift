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

/// The forms of the account page that change secrets, and the pages that links in mails lead to, as a browser without
/// scripts uses them.
struct SecretPageTests {
    private static let newPassword = "another horse, other batteries"

    private func canLogIn(_ service: TestService, _ password: String) -> Bool {
        (try? service.logIn(password: password)) != nil
    }

    @Test func `the password is changed with the old one, and every other log-in ends`() throws {
        let service = try TestService()
        defer { service.stop() }
        let elsewhere = try Person(service)
        let browser = Browser(service)
        var form = try browser.logIn(at: "/account").form("/account/password")

        form["password"] = "not it, not at all"
        form["new_password"] = Self.newPassword
        let wrong = try browser.post("/account/password", form)
        form["password"] = TestService.password
        form["new_password"] = "short"
        let short = try browser.post("/account/password", form)
        form["new_password"] = Self.newPassword
        let unproved = try browser.post(
            "/account/password",
            form.filter { $0.key.hasPrefix("pass") || $0.key == "new_password" }
        )
        #expect(wrong.status >= 400 && short.status >= 400 && unproved.status >= 400)
        #expect(elsewhere.isIn && canLogIn(service, TestService.password))

        let done = try browser.post("/account/password", form)

        #expect(done.status == 200 && done.text.contains("app-passwords"))
        #expect(!canLogIn(service, TestService.password) && canLogIn(service, Self.newPassword))
        #expect(!elsewhere.isIn)
        #expect(try browser.get("/account").status == 200)
    }

    @Test func `an app password is made, shown once, and taken back`() throws {
        let service = try TestService()
        defer { service.stop() }
        try service.register()
        let browser = Browser(service)
        var form = try browser.logIn(at: "/account").form("/account/app-passwords")
        form["name"] = "a <b>printer</b>"
        form["password"] = "not it, not at all"
        #expect(try browser.post("/account/app-passwords", form).status >= 400)
        form["password"] = TestService.password
        // What is not ticked is not sent.
        for word in ["files:write", "files:share"] { #expect(form.removeValue(forKey: word) != nil) }
        var none = form
        none["files:read"] = nil
        #expect(try browser.post("/account/app-passwords", none).status == 422)

        let made = try browser.post("/account/app-passwords", form)

        let secret = try required(made.text.firstMatch(of: /<code>(dla_[A-Za-z0-9_-]+|[A-Za-z0-9_-]{20,})<\/code>/)?.1)
        #expect(try service.logIn(password: String(secret)).scope == "files:read offline_access")
        let account = try browser.get("/account")
        #expect(account.text.contains("a &lt;b&gt;printer") && !account.text.contains(String(secret)))
        _ = try browser.post("/account/app-passwords/end", try account.form("/account/app-passwords/end"))
        #expect(!canLogIn(service, String(secret)))
    }

    @Test func `with a second factor both forms want its code`() throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source)
        defer { service.stop() }
        let (secret, _) = try Person(service).turnOnSecondFactor()
        func code() -> String {
            clock.advance(by: .seconds(60))
            return OneTimePassword.code(secret, step: OneTimePassword.step(at: clock.source.wall))
        }
        let browser = Browser(service)
        var logIn = try browser.logIn(at: "/account").form("/login")
        logIn["code"] = code()
        let account = try browser.post("/login", logIn)

        var form = try account.form("/account/password")
        #expect(form.keys.contains("code"))
        form["password"] = TestService.password
        form["new_password"] = Self.newPassword
        form["code"] = ""
        #expect(try browser.post("/account/password", form).status >= 400)
        form["code"] = code()
        #expect(try browser.post("/account/password", form).status == 200)
        var app = try browser.get("/account").form("/account/app-passwords")
        app["name"] = "a printer"
        app["password"] = Self.newPassword
        app["code"] = form["code"]
        #expect(try browser.post("/account/app-passwords", app).status >= 400)
        app["code"] = code()
        #expect(try browser.post("/account/app-passwords", app).text.contains("shown once"))
    }

    @Test func `a forgotten password is set again by the link, through pages alone`() throws {
        let service = try TestService()
        defer { service.stop() }
        try service.register()
        let browser = Browser(service)
        var ask = try browser.get("/forgot").form("/forgot")
        ask["email"] = "ann@example.com"
        #expect(try browser.post("/forgot", ask).status == 200)
        let token = try service.token(in: try service.mails(atLeast: 1)[0])

        var form = try browser.get("/reset?token=\(token)").form("/reset")
        form["password"] = Self.newPassword
        let done = try browser.post("/reset", form)
        let again = try browser.post("/reset", form)

        #expect(done.status == 200 && again.status >= 400)
        #expect(canLogIn(service, Self.newPassword) && !canLogIn(service, TestService.password))
    }

    @Test func `the second factor is turned on, gets new recovery codes, and goes, through pages alone`() throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source)
        defer { service.stop() }
        try service.register()
        let browser = Browser(service)
        var ask = try browser.logIn(at: "/account").form("/account/second-factor")
        ask["password"] = "not it, not at all"
        #expect(try browser.post("/account/second-factor", ask).status >= 400)
        ask["password"] = TestService.password

        let proposed = try browser.post("/account/second-factor", ask)
        let text = try required(proposed.text.firstMatch(of: /<pre><code>([A-Z2-7]{32})<\/code>/)?.1)
        let secret = try required(Person.decoded(base32: String(text)))
        func code() -> String { OneTimePassword.code(secret, step: OneTimePassword.step(at: clock.source.wall)) }
        #expect(proposed.text.contains("href=\"otpauth://totp/"))
        // Nothing is in force before a code was right.
        #expect(canLogIn(service, TestService.password))
        var confirm = try proposed.form("/account/second-factor/confirm")
        confirm["code"] = code() == "000000" ? "000001" : "000000"
        let wrong = try browser.post("/account/second-factor/confirm", confirm)
        #expect(wrong.status == 403 && wrong.text.contains("not right"))
        confirm = try wrong.form("/account/second-factor/confirm")
        confirm["code"] = code()
        let on = try browser.post("/account/second-factor/confirm", confirm)

        func codes(_ page: Browser.Shown) -> [String] {
            page.text.matches(of: /[a-z2-7]{4}(?:-[a-z2-7]{4}){5}/).map { String($0.0) }
        }
        #expect(codes(on).count == RecoveryCode.count)
        #expect(!canLogIn(service, TestService.password))
        #expect(throws: Never.self) { try Person(loggingIn: "ann@example.com", code: codes(on)[0], at: service) }

        clock.advance(by: .seconds(60))
        var renew = try browser.get("/account").form("/account/second-factor/codes")
        renew["password"] = TestService.password
        renew["code"] = code()
        let renewed = try browser.post("/account/second-factor/codes", renew)
        #expect(codes(renewed).count == RecoveryCode.count && Set(codes(renewed)).isDisjoint(with: codes(on)))
        #expect(throws: (any Error).self) { try Person(loggingIn: "ann@example.com", code: codes(on)[1], at: service) }

        var end = try browser.get("/account").form("/account/second-factor/end")
        end["password"] = TestService.password
        end["code"] = codes(renewed)[0]
        #expect(try browser.post("/account/second-factor/end", end).text.contains("The second factor is off."))
        #expect(canLogIn(service, TestService.password))
    }

    @Test func `an account is made through pages alone, where the operator lets people do that`() throws {
        let service = try TestService { $0.registration = .mail }
        defer { service.stop() }
        let browser = Browser(service)
        #expect(try browser.get("/login").text.contains("href=\"/register\""))
        func register(_ password: String) throws -> Browser.Shown {
            var form = try browser.get("/register").form("/register")
            form["name"] = "Ann <b>B.</b>"
            form["email"] = "ann@example.com"
            form["password"] = password
            return try browser.post("/register", form)
        }
        let weak = try register("password")
        #expect(weak.status == 422 && weak.text.contains("value=\"Ann &lt;b&gt;B.&lt;/b&gt;\""))

        #expect(try register(TestService.password).text.contains("A mail is on its way"))
        let token = try service.token(in: try service.mails(atLeast: 1)[0])
        var form = try browser.get("/verify?token=\(token)").form("/verify")
        form["password"] = TestService.password
        #expect(try browser.post("/verify", form).status == 200)
        #expect(canLogIn(service, TestService.password))
        // Nothing tells that there is such an account now.
        #expect(try register(TestService.password).text.contains("A mail is on its way"))

        let closed = try TestService { $0.registration = .closed }
        defer { closed.stop() }
        #expect(try Browser(closed).get("/register").status == 403)
        #expect(try !Browser(closed).get("/login").text.contains("/register"))
    }

    @Test func `a new address is confirmed by pressing the button, not by opening the link`() throws {
        let service = try TestService { $0.registration = .mail }
        defer { service.stop() }
        _ = try service.json(
            .post,
            Routes.Users.users,
            ["email": "ann@example.com", "password": .string(TestService.password), "name": "Ann"]
        )
        let token = try service.token(in: try service.mails(atLeast: 1)[0])
        let browser = Browser(service)

        let page = try browser.get("/verify?token=\(token)")
        #expect(!canLogIn(service, TestService.password))
        var form = try page.form("/verify")
        form["password"] = TestService.password
        let done = try browser.post("/verify", form)

        #expect(done.status == 200 && done.text.contains("is confirmed"))
        #expect(canLogIn(service, TestService.password))
    }
}
