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

/// What many ask for at the same moment and only one can have.
@Suite(.serialized)
struct RaceTests {
    /// So many got it, and each of the others heard why not: none was told of a failure of ours.
    private func count(_ answers: [Result<ClientResponse, any Error>], refused code: String) throws -> Int {
        let answers = try answers.map { try $0.get() }
        let done = answers.filter { $0.status.code / 100 == 2 }.count
        for answer in answers where answer.status.code / 100 != 2 {
            #expect(answer.code == code, "\(answer.status) \(answer.text)")
        }
        return done
    }

    @Test(arguments: Backend.allCases)
    func `of many who take one handle, or one address, at once one gets it`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let people = try (0..<6).map { try Person(service, "p\($0)@example.com") }

        let handles = atOnce(people.count) { try people[$0].ask(.patch, Routes.Users.me, ["handle": "star"]) }
        let addresses = atOnce(people.count) { index in
            let body: JSONObject = ["email": "star@example.com", "password": .string(TestService.password)]
            return try people[index].ask(.patch, Routes.Users.me, body)
        }

        #expect(try count(handles, refused: "already_exists") == 1)
        #expect(try count(addresses, refused: "already_exists") == 1)
        #expect(throws: Never.self) { try service.logIn("star@example.com") }
    }

    @Test(arguments: Backend.allCases)
    func `a link to a new password, used by many at once, sets one`(backend: Backend) throws {
        let service = try TestService(on: backend) { $0.attemptRule = AttemptRule(freeCount: 100) }
        defer { service.stop() }
        try service.register()
        _ = try service.json(.post, Routes.Users.forgotPassword, ["email": "ann@example.com"])
        let token = try service.token(in: try service.mails(atLeast: 1)[0])

        let answers = atOnce(6) { index in
            let body: JSONObject = ["token": .string(token), "password": .string("the password number \(index)")]
            return try service.json(.post, Routes.Users.resetPassword, body)
        }

        #expect(try count(answers, refused: "gone") == 1)
        let good = (0..<6).filter { (try? service.logIn(password: "the password number \($0)")) != nil }
        #expect(good.count == 1)
    }

    @Test(arguments: Backend.allCases)
    func `a device that two people let in at once is one person's, and the other hears that it is late`(
        backend: Backend
    ) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let emails = ["ann@example.com", "bob@example.com"]
        let ids = try emails.map { try service.register($0).id }
        let invitation = try service.form(
            Routes.Users.deviceAuthorization,
            [("client_id", "daleks"), ("scope", "files:read")]
        ).json
        let code = try invitation.string("user_code")
        let browsers = emails.map { _ in Browser(service) }
        let forms = try zip(browsers, emails).map { browser, email in
            var form = try browser.logIn(at: "/device", email: email).form("/device")
            form["user_code"] = code
            var decision = try browser.post("/device", form).form("/device/decision")
            decision["decision"] = "allow"
            return decision
        }

        let statuses = try atOnce(2) {
            (index: $0, status: try browsers[$0].post("/device/decision", forms[$0]).status)
        }
        .map { try $0.get() }

        #expect(statuses.map(\.status).sorted() == [200, 409])
        let winner = try required(statuses.first { $0.status == 200 }).index
        let poll = [
            ("grant_type", GrantKind.deviceCode.rawValue), ("client_id", "daleks"),
            ("device_code", try invitation.string("device_code")),
        ]
        let tokens = atOnce(4) { _ in try service.form(Routes.Users.token, poll) }
        #expect(try count(tokens, refused: "invalid_grant") == 1)
        let won = try required(tokens.compactMap { try? $0.get() }.first { $0.status == .ok })
        #expect(try service.verify(try won.json.string("access_token")).subject == "\(ids[winner])")
    }

    @Test func `a cookie that somebody planted before a log-in is nobody's after it`() throws {
        let service = try TestService()
        defer { service.stop() }
        try service.register()
        try service.register("eve@example.com")
        let eve = Browser(service)
        _ = try eve.logIn(at: "/account", email: "eve@example.com")
        let planted = try required(eve.cookie("daleks-without-tls"))
        let ann = Browser(service)
        ann.plant("daleks-without-tls", planted)

        #expect(try ann.logIn(at: "/login?again=1").text.contains("ann@example.com"))

        let own = try required(ann.cookie("daleks-without-tls"))
        #expect(own != planted)
        // What was planted does not become Ann's, and is not Eve's any more either.
        #expect(try eve.get("/account").text.contains("name=\"password\""))
    }
}
