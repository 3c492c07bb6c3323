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
struct SecondFactorTests {
    /// RFC 6238, appendix B, cut to six digits.
    @Test(arguments: [
        (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
        (2_000_000_000, "279037"), (20_000_000_000, "353130"),
    ])
    func `codes are those of RFC 6238`(seconds: Int64, code: String) {
        // Its last instant needs more nanoseconds than 64 bits have.
        let step = seconds / 30
        #expect(OneTimePassword.code(Array("12345678901234567890".utf8), step: step) == code)
    }

    @Test func `letters and digits are those of RFC 4648`() {
        let cases = [
            ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI"),
        ]
        for (text, encoded) in cases { #expect(Base32.encode(Array(text.utf8)) == encoded) }
    }

    /// Everything that takes a password, and what it takes besides once the second factor is on.
    enum Path: String, CaseIterable {
        case login, password, address, deletion, reset, appPassword, codes, off

        /// The request of somebody who knows the password, or has the mailed link.
        func ask(
            _ person: Person,
            _ service: TestService,
            code: String?,
            mailed token: String?
        ) throws -> ClientResponse {
            var body: JSONObject = ["password": .string(TestService.password)]
            if let code { body["code"] = .string(code) }
            switch self {
            case .login:
                body["email"] = .string(person.email)
                body["device"] = "a phone"
                return try service.json(.post, Routes.Users.login, body)
            case .password:
                body["new_password"] = .string(TestService.password + "!")
                return try person.ask(.post, "/v1/me/password", body)
            case .address:
                body["email"] = .string("other-" + person.email)
                return try person.ask(.patch, Routes.Users.me, body)
            case .deletion: return try person.ask(.delete, Routes.Users.me, body)
            case .reset:
                body["password"] = .string(TestService.password + "!")
                body["token"] = token.map { .string($0) }
                return try service.json(.post, Routes.Users.resetPassword, body)
            case .appPassword:
                body["name"] = "a robot"
                return try person.ask(.post, "/v1/me/app-passwords", body)
            case .codes: return try person.ask(.post, "/v1/me/recovery-codes", body)
            case .off: return try person.ask(.delete, "/v1/me/totp", body)
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func `no way that takes a password gets past the second factor`(backend: Backend) throws {
        let clock = ManualClock()
        let service = try TestService(on: backend, time: clock.source)
        defer { service.stop() }
        for path in Path.allCases { try refuse(path, at: service, clock) }
    }

    /// Everything but the right code, of somebody who has a second factor.
    private func refuse(_ path: Path, at service: TestService, _ clock: ManualClock) throws {
        let ann = try Person(service, "ann-\(path)@example.com")
        let (secret, codes) = try ann.turnOnSecondFactor()
        var token: String?
        if path == .reset {
            _ = try service.json(.post, Routes.Users.forgotPassword, ["email": .string(ann.email)])
            token = try service.token(in: try service.mail { $0.contains("To: <\(ann.email)>") })
        }
        func code() -> String { OneTimePassword.code(secret, step: OneTimePassword.step(at: clock.source.wall)) }
        func ask(_ code: String?) throws -> ClientResponse { try path.ask(ann, service, code: code, mailed: token) }
        let spent = code()

        let none = try ask(nil)
        let wrong = try ask(code() == "000000" ? "000001" : "000000")
        let used = try ask(spent)
        let invented = try ask("aaaa-bbbb-cccc-dddd")
        clock.advance(by: .seconds(60))
        let old = try ask(spent)
        let right = try ask(code())

        for refused in [none, wrong, used, invented, old] {
            #expect(refused.code == "mfa_required", "\(path): \(refused.text)")
            #expect(refused.status == .forbidden)
        }
        #expect(right.status.code / 100 == 2, "\(path): \(right.text)")
        #expect(codes.count == RecoveryCode.count && Set(codes).count == codes.count)
    }

    @Test func `a recovery code has more bits than a plain digest must hide`() {
        // ASVS 6.5.2: with fewer than 112 its digest would have to be a password's.
        let codes = (0..<50).map { _ in RecoveryCode.make() }

        #expect(codes.allSatisfy { $0.wholeMatch(of: /([a-z2-7]{4}-){5}[a-z2-7]{4}/) != nil })
        #expect(RecoveryCode.bytes * 8 >= 112 && Set(codes).count == codes.count)
    }

    @Test(arguments: Backend.allCases)
    func `a recovery code lets in once, however it is typed`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let ann = try Person(service)
        let (_, codes) = try ann.turnOnSecondFactor()
        @Sendable func logIn(_ code: String) -> Bool {
            (try? Person(loggingIn: "ann@example.com", code: code, at: service)) != nil
        }

        #expect(logIn(codes[0]))
        #expect(!logIn(codes[0]))
        #expect(logIn(codes[1].uppercased().replacing("-", with: " ")))
        let first = atOnce(8) { _ in logIn(codes[2]) }.filter { (try? $0.get()) == true }
        #expect(first.count == 1)
    }

    @Test func `one code at sixteen places at once lets one in`() throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source) { $0.attemptRule = AttemptRule(freeCount: 100) }
        defer { service.stop() }
        let (secret, _) = try Person(service).turnOnSecondFactor()
        clock.advance(by: .seconds(60))
        let code = OneTimePassword.code(secret, step: OneTimePassword.step(at: clock.source.wall))

        let tried = atOnce(16) { _ in try Person(loggingIn: "ann@example.com", code: code, at: service) }

        #expect(tried.filter { (try? $0.get()) != nil }.count == 1)
    }

    @Test func `codes are guessed no faster than passwords`() throws {
        let service = try TestService { _ in }
        defer { service.stop() }
        _ = try Person(service).turnOnSecondFactor()

        let statuses = try (0..<8).map { number in
            try service.json(
                .post,
                Routes.Users.login,
                [
                    "email": "ann@example.com", "password": .string(TestService.password), "device": "x",
                    "code": .string("00000\(number)"),
                ]
            ).status.code
        }

        #expect(statuses.prefix(5).allSatisfy { $0 == 403 })
        #expect(statuses.dropFirst(5).allSatisfy { $0 == 429 })
        // Leaving the code out is half of a log-in and no guess.
        let halves = try TestService { _ in }
        defer { halves.stop() }
        _ = try Person(halves).turnOnSecondFactor()
        for _ in 0..<12 {
            let half = try halves.json(
                .post,
                Routes.Users.login,
                ["email": "ann@example.com", "password": .string(TestService.password), "device": "x"]
            )
            #expect(half.code == "mfa_required")
        }
    }

    @Test(arguments: Backend.allCases)
    func `an app password stands for the password, with its own scope, and cannot change the account`(
        backend: Backend
    ) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let ann = try Person(service)
        _ = try ann.turnOnSecondFactor()
        // The code that turned it on is spent, so that a recovery code is renewed by an app password's maker.
        let off = try ann.ask(.post, "/v1/me/app-passwords", ["name": "x", "password": .string(TestService.password)])
        #expect(off.code == "mfa_required")
        let bob = try Person(service, "bob@example.com")
        let made = try bob.ask(
            .post,
            "/v1/me/app-passwords",
            ["name": "a robot", "scope": "files:read offline_access", "password": .string(TestService.password)]
        )
        let (secret, id) = (try made.reader.string("secret"), try made.reader.string("id"))

        let robot = try Person(loggingIn: "bob@example.com", password: secret, at: service)

        #expect(made.status == .created)
        #expect(robot.session.scope == "files:read offline_access")
        #expect(robot.isIn)
        #expect(throws: (any Error).self) { try Person(loggingIn: "ann@example.com", password: secret, at: service) }
        for (method, path, body) in [
            (HTTPMethod.patch, Routes.Users.me, ["name": "Eve"] as JSONObject),
            (.delete, Routes.Users.me, ["password": .string(secret)]),
            (.post, "/v1/me/password", ["password": .string(secret), "new_password": "a new password"]),
            (.post, "/v1/me/totp", ["password": .string(secret)]),
            (.post, "/v1/me/app-passwords", ["name": "y", "password": .string(secret)]),
            (.delete, "/v1/me/sessions", [:]), (.delete, "/v1/me/app-passwords/\(id)", [:]),
            (.get, "/v1/me/export", nil), (.get, "/v1/admin/users", nil),
        ] as [(HTTPMethod, String, JSONObject?)] {
            #expect(try robot.ask(method, path, body).status == .forbidden, "\(method) \(path)")
        }
        // Nor does it do where the password itself is asked for.
        let claimed = try bob.ask(.post, "/v1/me/totp", ["password": .string(secret)])
        #expect(claimed.code == "invalid_credentials")

        #expect(try bob.ask(.delete, "/v1/me/app-passwords/\(id)").status == .noContent)
        #expect(!robot.isIn)
        #expect(bob.isIn)
        #expect(throws: (any Error).self) { try Person(loggingIn: "bob@example.com", password: secret, at: service) }
    }
}
