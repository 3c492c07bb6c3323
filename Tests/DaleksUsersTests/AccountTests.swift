import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

@Suite(.serialized)
struct AccountTests {
    @Test(arguments: Backend.allCases)
    func `a link by mail makes the account, once, and nothing tells whether there was one`(backend: Backend) throws {
        let service = try TestService(on: backend) { $0.registration = .mail }
        defer { service.stop() }
        let request = RegistrationRequest(
            email: "Ann@Example.com",
            password: TestService.password,
            name: "Ann",
            handle: "ann"
        )
        let body = String(decoding: request.jsonBytes, as: UTF8.self)

        // A name in the request that nobody here chose must not lead anybody anywhere.
        let first = try service.send(
            .post,
            Routes.Users.users,
            body,
            fields: [
                ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"),
                ("Forwarded", "host=evil.example"),
                ("Host", "evil.example"),
            ]
        )
        let mails = try service.mails(atLeast: 1)
        let token = try service.token(in: mails[0])

        #expect(first.status == .accepted)
        #expect(mails[0].contains("To: <ann@example.com>"))
        #expect(mails[0].contains("\r\n\(service.service.issuer)/verify?token=dlm_"))
        #expect(!mails[0].contains("evil"))
        #expect(throws: (any Error).self) { try service.logIn() }

        let confirmation: JSONObject = ["token": .string(token), "password": .string(TestService.password)]
        let made = try service.json(.post, Routes.Users.verify, confirmation)
        let again = try service.json(.post, Routes.Users.verify, confirmation)

        #expect(made.status == .created)
        #expect(try made.reader.string("handle") == "ann")
        #expect(again.status == .gone)
        #expect(try service.logIn().user?.email == "ann@example.com")

        let second = try service.send(.post, Routes.Users.users, body)
        let told = try service.mails(atLeast: 2)

        #expect(second.status == first.status)
        #expect(second.body == first.body)
        #expect(told[1].contains("You have an account already"))
        #expect(told[1].contains("\r\n\(service.service.issuer)/forgot\r\n"))
        #expect(!told[1].contains("token="))
    }

    @Test func `whoever may not register is told so`() throws {
        let service = try TestService { $0.registration = .closed }
        defer { service.stop() }

        #expect(throws: (any Error).self) { try service.register() }

        let few = try TestService { $0.registrationsPerHourMax = 2 }
        defer { few.stop() }
        try few.register("a@example.com")
        try few.register("b@example.com")

        let third = try few.json(
            .post,
            Routes.Users.users,
            ["email": "c@example.com", "password": .string(TestService.password), "name": "C"]
        )

        #expect(third.code == "rate_limited")
        #expect((Int(third.fields["Retry-After"] ?? "") ?? 0) > 3_000)
    }

    @Test(arguments: Backend.allCases)
    func `people read and change what is theirs`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let ann = try Person(service)
        let bob = try Person(service, "bob@example.com")

        let named = try ann.ask(.patch, Routes.Users.me, ["name": "Ann Other", "handle": "Ann.O"])
        let taken = try bob.ask(.patch, Routes.Users.me, ["handle": "ann.o"])
        let wrong = try bob.ask(.patch, Routes.Users.me, ["handle": "0"])
        let moved = try ann.ask(.patch, Routes.Users.me, ["region": "there"])
        let me = try ann.ask(.get, Routes.Users.me).reader

        #expect(named.status == .ok)
        #expect(taken.code == "already_exists")
        #expect(wrong.code == "invalid")
        #expect(try moved.reader.string("note").contains("Nothing was moved"))
        #expect(try me.string("name") == "Ann Other")
        #expect(try me.string("handle") == "ann.o")
        #expect(try me.string("region") == "there")
        #expect(try me.string("role") == "user")
        #expect(try !me.bool("has_totp"))
        // The next log-in goes there; the session of before goes on where it was.
        #expect(try service.logIn().region?.code == "there")
        #expect(ann.isIn)

        let export = try ann.ask(.get, "/v1/me/export").reader
        let actions = try export.array("audit").map { try $0.string("action") }
        #expect(try export.object("account").string("email") == "ann@example.com")
        #expect(try export.array("sessions").count == 2)
        #expect(actions.contains("home") && actions.contains("register"))
    }

    @Test func `who has no home yet begins at the nearest region, and stays there`() throws {
        let service = try TestService()
        defer { service.stop() }
        try service.register()
        func logIn(nearest: String) throws -> String? {
            try service.users.logIn(
                LoginRequest(
                    email: "ann@example.com",
                    password: TestService.password,
                    region: nil,
                    device: "x",
                    nearest: nearest
                )
            ).region?.code
        }

        #expect(try logIn(nearest: "there") == "there")
        #expect(try logIn(nearest: "here") == "there")
        try service.register("bob@example.com")
        #expect(try service.logIn("bob@example.com").region?.code == "here")
    }

    @Test(arguments: Backend.allCases)
    func `a changed password ends every other session, and the old one is none`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let ann = try Person(service)
        let other = try Person(loggingIn: "ann@example.com", at: service)
        let new = "another horse, other batteries"

        let refused = try ann.ask(
            .post,
            "/v1/me/password",
            ["password": "not it at all", "new_password": .string(new)]
        )
        let weak = try ann.ask(
            .post,
            "/v1/me/password",
            ["password": .string(TestService.password), "new_password": "password"]
        )
        let changed = try ann.ask(
            .post,
            "/v1/me/password",
            ["password": .string(TestService.password), "new_password": .string(new)]
        )

        #expect(refused.code == "invalid_credentials")
        #expect(weak.code == "invalid")
        #expect(changed.status == .noContent)
        #expect(ann.isIn)
        #expect(!other.isIn)
        #expect(throws: (any Error).self) { try service.logIn() }
        #expect(throws: Never.self) { try service.logIn(password: new) }
        #expect(try service.mails(atLeast: 1)[0].contains("password of your account here was changed"))
    }

    @Test(arguments: Backend.allCases)
    func `who forgot the password sets another by a link, and all that was logged in is out`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let ann = try Person(service)
        let unknown = try service.json(.post, Routes.Users.forgotPassword, ["email": "nobody@example.com"])
        let known = try service.json(.post, Routes.Users.forgotPassword, ["email": "ann@example.com"])
        let again = try service.json(.post, Routes.Users.forgotPassword, ["email": "ann@example.com"])
        let mails = try service.mails(atLeast: 2)
        let (old, token) = (try service.token(in: mails[0]), try service.token(in: mails[1]))
        func set(_ token: String, _ password: String) throws -> String? {
            let body: JSONObject = ["token": .string(token), "password": .string(password)]
            let answer = try service.json(.post, Routes.Users.resetPassword, body)
            return answer.status == .noContent ? nil : answer.code
        }

        #expect(unknown.status == known.status && unknown.body == known.body && again.body == known.body)
        #expect(mails.allSatisfy { $0.contains("To: <ann@example.com>") })
        #expect(try set(old, "a quite new password") == "gone")
        #expect(try set(token, "short") == "invalid")
        #expect(try set(token, "a quite new password") == nil)
        #expect(try set(token, "a quite new password") == "gone")
        #expect(!ann.isIn)
        #expect(throws: Never.self) { try service.logIn(password: "a quite new password") }
    }

    @Test func `a new address holds once it was verified, and the old one hears of it`() throws {
        let service = try TestService { $0.registration = .mail }
        defer { service.stop() }
        let admin = try Person.admin(service)
        let body: JSONObject = [
            "email": "ann@example.com", "name": "Ann", "password": .string(TestService.password),
        ]
        #expect(try admin.ask(.post, "/v1/admin/users", body).status == .created)
        let ann = try Person(loggingIn: "ann@example.com", at: service)

        let asked = try ann.ask(
            .patch,
            Routes.Users.me,
            ["email": "ann@new.example", "password": .string(TestService.password)]
        )
        let token = try service.token(in: try service.mails(atLeast: 2)[1])

        #expect(try asked.reader.string("pending_email") == "ann@new.example")
        #expect(try asked.reader.string("email") == "ann@example.com")
        #expect(throws: Never.self) { try service.logIn() }

        // Whoever has the link alone must not be made to confirm what somebody else asked for.
        let alone = try service.json(.post, Routes.Users.verify, ["token": .string(token)])
        let guessed = try service.json(
            .post,
            Routes.Users.verify,
            ["token": .string(token), "password": "not it at all"]
        )
        #expect(alone.code == "invalid" && guessed.code == "invalid_credentials")
        #expect(throws: Never.self) { try service.logIn() }
        let confirmation: JSONObject = ["token": .string(token), "password": .string(TestService.password)]
        let verified = try service.json(.post, Routes.Users.verify, confirmation)

        #expect(try verified.reader.string("email") == "ann@new.example")
        #expect(throws: (any Error).self) { try service.logIn() }
        #expect(throws: Never.self) { try service.logIn("ann@new.example") }
        #expect(try service.mails(atLeast: 3)[2].contains("To: <ann@example.com>"))

        // An address that has an account gets a letter instead of a link.
        let stolen = try ann.ask(
            .patch,
            Routes.Users.me,
            ["email": "root@example.com", "password": .string(TestService.password)]
        )
        #expect(stolen.status == .ok)
        #expect(try service.mails(atLeast: 5)[4].contains("You have an account already"))
    }

    @Test(arguments: Backend.allCases)
    func `a deleted account is gone at once and its address is free`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let ann = try Person(service)
        let refused = try ann.ask(.delete, Routes.Users.me, ["password": "not it at all"])

        let deleted = try ann.ask(.delete, Routes.Users.me, ["password": .string(TestService.password)])

        #expect(refused.code == "invalid_credentials")
        #expect(deleted.status == .accepted)
        #expect(try deleted.reader.integer("purge_after") > service.time.wall.nanoseconds)
        #expect(!ann.isIn)
        #expect(throws: (any Error).self) {
            try service.users.refresh(ann.session.refreshToken ?? "", requestID: "0123456789abcdef", resource: nil)
        }
        #expect(throws: (any Error).self) { try service.logIn() }
        #expect(throws: Never.self) { try service.register() }
    }

    @Test(arguments: Backend.allCases)
    func `sessions are listed with their devices, and ended one by one or all`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let ann = try Person(service)
        let others = try (0..<3).map { _ in try Person(loggingIn: "ann@example.com", at: service) }
        let bob = try Person(service, "bob@example.com")
        let list = try ann.ask(.get, "/v1/me/sessions").reader.array("sessions")
        let ids = try list.map { try $0.string("id") }
        let current = try list.filter { try $0.bool("is_current") }.map { try $0.string("id") }
        let bobs = try bob.ask(.get, "/v1/me/sessions").reader.array("sessions").map { try $0.string("id") }

        #expect(ids.count == 4 && current.count == 1 && bobs.count == 1)
        #expect(try list.allSatisfy { try $0.string("device") == "a laptop" && $0.string("region") == "here" })

        let one = try required(ids.first { $0 != current[0] })
        #expect(try ann.ask(.delete, "/v1/me/sessions/\(one)").status == .noContent)
        #expect(try ann.ask(.delete, "/v1/me/sessions/\(one)").status == .notFound)
        #expect(try ann.ask(.delete, "/v1/me/sessions/\(bobs[0])").status == .notFound)
        #expect(others.filter(\.isIn).count == 2)

        #expect(try ann.ask(.delete, "/v1/me/sessions?except=current").status == .noContent)
        #expect(ann.isIn && others.allSatisfy { !$0.isIn } && bob.isIn)

        #expect(try ann.ask(.delete, "/v1/me/sessions").status == .noContent)
        #expect(!ann.isIn)
    }

    @Test(arguments: Backend.allCases)
    func `people are found by what is exact, not too often, and never listed`(backend: Backend) throws {
        let service = try TestService(on: backend) { $0.lookUpsPerHourMax = 6 }
        defer { service.stop() }
        let (ann, bob) = (try Person(service), try Person(service, "bob@example.com"))
        _ = try bob.ask(.patch, Routes.Users.me, ["handle": "bob"])
        let id = try required(bob.session.user).id
        func find(_ query: String) throws -> Int { try ann.ask(.get, "/v1/users/find?\(query)").status.code }

        #expect(try find("email=BOB@example.com") == 200)
        #expect(try find("handle=bob") == 200)
        #expect(try find("handle=bo") == 404)
        #expect(try find("email=bob@example") == 404)
        #expect(try find("") == 400)
        #expect(try find("email=a@b.example&email=bob@example.com") == 400)
        #expect(try service.send(.get, "/v1/users/find?handle=bob").status == .unauthorized)

        let names = try ann.ask(
            .post,
            Routes.Users.names,
            ["ids": .array([.string("\(id)"), .string("\(UserID.random(at: service.time.wall))")])]
        ).reader.array("users")
        #expect(try names.map { try $0.string("handle") } == ["bob"])
        #expect(try names[0].optionalString("email") == nil && names[0].optionalBool("is_locked") == nil)

        // Found or not, each of the four above counted; what was malformed did not get so far.
        #expect(try (0..<3).map { _ in try find("handle=bob") } == [200, 200, 429])
        #expect(UsersSettings(stateFolder: "/").lookUpsPerHourMax == 120)
    }
}
