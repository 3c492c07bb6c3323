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

/// Devices that show letters and wait (RFC 8628).
struct OAuthDeviceTests {
    private let clock = ManualClock()
    private static let grant = GrantKind.deviceCode.rawValue

    private func ask(_ service: TestService, _ more: [(String, String)] = []) throws -> JSONReader {
        try service.form(
            Routes.Users.deviceAuthorization,
            [("client_id", "daleks"), ("scope", "files:read offline_access"), ("device_name", "a <server>")] + more
        ).json
    }

    private func poll(
        _ service: TestService,
        _ invitation: JSONReader,
        client: String = "daleks"
    ) throws
        -> ClientResponse
    {
        try service.form(
            Routes.Users.token,
            [
                ("grant_type", Self.grant), ("device_code", try invitation.string("device_code")),
                ("client_id", client),
            ]
        )
    }

    private func decide(
        _ browser: Browser,
        _ code: String,
        _ decision: String
    ) throws -> Browser.Shown {
        var form = try browser.get("/device").form("/device")
        form["user_code"] = code
        var next = try browser.post("/device", form).form("/device/decision")
        next["decision"] = decision
        return try browser.post("/device/decision", next)
    }

    @Test func `a device is let in by whoever types its letters`() throws {
        let service = try TestService(time: clock.source)
        let ann = try service.register()
        let invitation = try ask(service)
        let code = try invitation.string("user_code")
        #expect(try invitation.string("verification_uri") == service.url + "/device")
        #expect(try invitation.string("verification_uri_complete") == service.url + "/device?user_code=\(code)")
        #expect(try invitation.integer("interval") == 5 && invitation.integer("expires_in") == 600)
        #expect(code.wholeMatch(of: /[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}/) != nil)
        #expect(try poll(service, invitation).code == "authorization_pending")

        let browser = Browser(service)
        let page = try browser.logIn(at: "/device?user_code=\(code)")
        #expect(page.text.contains("value=\"\(code)\""))
        let confirm = try browser.post("/device", try page.form("/device"))
        #expect(confirm.text.contains("a &lt;server&gt;") && confirm.text.contains(code))
        var form = try confirm.form("/device/decision")
        form["decision"] = "allow"
        #expect(try browser.post("/device/decision", form).text.contains("goes on by itself"))

        clock.advance(by: .seconds(5))
        let tokens = try poll(service, invitation)
        #expect(tokens.status == .ok)
        let access = try service.verify(try tokens.json.string("access_token"), at: clock.source.wall)
        #expect(access.subject == "\(ann.id)")
        #expect(try access.reader.string("scope") == "files:read offline_access")
        #expect(try browser.get("/account").text.contains("a &lt;server&gt;"))
        #expect(try poll(service, invitation).code == "invalid_grant")
        _ = try service.users.refresh(
            try tokens.json.string("refresh_token"),
            requestID: "0123456789abcdef",
            resource: nil
        )
    }

    @Test func `letters may be typed as people type them`() throws {
        let service = try TestService()
        try service.register()
        let browser = Browser(service)
        _ = try browser.logIn(at: "/account")
        for change in [
            { (code: String) in code.lowercased() }, { $0.replacing("-", with: "") },
            { " \($0.replacing("-", with: " ")) " },
        ] {
            let invitation = try ask(service)
            #expect(try decide(browser, change(try invitation.string("user_code")), "allow").status == 200)
            #expect(try poll(service, invitation).status == .ok)
        }
        for code in ["", "AEIOUAEI", "BCDF-GHJ", "BCDF-GHJKL", "<script>"] { #expect(UserCode(code) == nil) }
    }

    @Test func `who says no is believed`() throws {
        let service = try TestService()
        try service.register()
        let invitation = try ask(service)
        let browser = Browser(service)
        _ = try browser.logIn(at: "/account")

        #expect(try decide(browser, try invitation.string("user_code"), "deny").text.contains("turned away"))

        #expect(try poll(service, invitation).code == "access_denied")
    }

    @Test func `a device that asks too often is slowed down, each time more`() throws {
        let service = try TestService(time: clock.source)
        let invitation = try ask(service)
        var told: [String?] = []
        for pause in [0, 5, 4, 9, 14, 15, 19, 20] as [Int64] {
            clock.advance(by: .seconds(pause))
            told.append(try poll(service, invitation).code)
        }
        // 5 seconds at first; 10 after the first haste, 15 after the second, 20 after the third.
        let (wait, slow) = ("authorization_pending", "slow_down")
        #expect(
            told
                == [wait, wait, slow, slow, slow, slow, slow, slow].enumerated().map { index, word in
                    [0, 1].contains(index) ? wait : word
                }
        )
    }

    @Test func `after ten minutes nobody can let it in any more`() throws {
        let service = try TestService(time: clock.source)
        try service.register()
        let invitation = try ask(service)
        let browser = Browser(service)
        _ = try browser.logIn(at: "/account")
        clock.advance(by: .seconds(600))

        var form = try browser.get("/device").form("/device")
        form["user_code"] = try invitation.string("user_code")

        #expect(try browser.post("/device", form).text.contains("No device waits"))
        #expect(try poll(service, invitation).code == "expired_token")
    }

    @Test func `one program's device code is nothing to another`() throws {
        let service = try TestService()
        let invitation = try ask(service)
        let program = try Program(service, isPublic: true, redirects: [], grants: [.deviceCode], scope: "files:read")

        #expect(try poll(service, invitation, client: program.id).code == "invalid_grant")
        #expect(try poll(service, invitation).code == "authorization_pending")
    }

    @Test func `letters are not guessed`() throws {
        let service = try TestService(time: clock.source)
        try service.register()
        let browser = Browser(service)
        var form = try browser.logIn(at: "/device").form("/device")
        var statuses: [Int] = []
        for _ in 0..<7 {
            form["user_code"] = UserCode.random().text
            statuses.append(try browser.post("/device", form).status)
        }
        #expect(statuses == [422, 422, 422, 422, 422, 429, 429])
        let invitation = try ask(service)
        form["user_code"] = try invitation.string("user_code")
        #expect(try browser.post("/device", form).status == 429)
        clock.advance(by: .seconds(3))
        #expect(try browser.post("/device", form).status == 200)
    }

    @Test func `one address does not fill the list of devices`() throws {
        let service = try TestService()
        for _ in 0..<Limits.Users.waitingDevicesMax { _ = try ask(service).string("device_code") }

        let more = try service.form(Routes.Users.deviceAuthorization, [("client_id", "daleks")])

        #expect(more.status == .tooManyRequests && more.fields["Retry-After"] != nil)
    }

    @Test func `what a device is told is decided by a table`() {
        let start = Timestamp(seconds: 1_000)
        func request(_ state: DeviceRequest.State, polled: Int64? = nil) -> DeviceRequest {
            DeviceRequest(
                code: DeviceRequest.digest("x"),
                userCode: .random(),
                client: "daleks",
                device: "x",
                scope: .all,
                resource: nil,
                origin: DeviceRequest.digest("y"),
                expires: Timestamp(seconds: 1_600),
                pause: .seconds(5),
                polled: polled.map { Timestamp(seconds: $0) },
                state: state,
                account: state == .pending ? nil : UserID(high: 1, low: 2),
                authenticated: state == .pending ? nil : start
            )
        }
        func told(_ state: DeviceRequest.State, polled: Int64? = nil, at seconds: Int64) -> DeviceRequest.Answer {
            var request = request(state, polled: polled)
            return request.asked(at: Timestamp(seconds: seconds))
        }
        let granted = DeviceRequest.Answer.granted(UserID(high: 1, low: 2), authenticated: start)

        #expect(told(.pending, at: 1_000) == .pending)
        #expect(told(.pending, polled: 1_000, at: 1_005) == .pending)
        #expect(told(.pending, polled: 1_000, at: 1_004) == .slowDown)
        #expect(told(.pending, polled: 1_000, at: 900) == .pending)
        #expect(told(.pending, at: 1_600) == .expired)
        #expect(told(.approved, at: 1_599) == granted)
        // Who waits for an answer that is there is not slowed down any more.
        #expect(told(.approved, polled: 1_000, at: 1_001) == granted)
        #expect(told(.approved, at: 1_600) == .expired)
        #expect(told(.denied, at: 1_000) == .denied)
        #expect(told(.used, at: 1_000) == .used)
    }
}
