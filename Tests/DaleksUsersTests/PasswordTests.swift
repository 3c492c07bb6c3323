import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// What guessing costs, and what it tells.
struct PasswordTests {
    private func attempt(_ service: TestService, _ email: String, _ password: String) throws -> ClientResponse {
        let body = LoginRequest(email: email, password: password, region: nil, device: "x").jsonBytes
        return try service.send(.post, Routes.Users.login, String(decoding: body, as: UTF8.self))
    }

    @Test(arguments: ["ann@example.com", "nobody@example.com"])
    func `a hundred wrong passwords at once cost five hashes, with an account or without`(email: String) throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source) { $0.passwordParameters = .standard }
        try service.register()
        let before = try service.measure("daleks_users_password_hashes_total")

        let answers = try atOnce(100) { try attempt(service, email, "wrong password \($0)") }.map { try $0.get() }

        #expect(try service.measure("daleks_users_password_hashes_total") - before == 5)
        #expect(answers.filter { $0.status == .unauthorized && $0.code == "invalid_credentials" }.count == 5)
        let blocked = answers.filter { $0.status == .tooManyRequests && $0.code == "rate_limited" }
        #expect(blocked.count == 95)
        #expect(blocked.allSatisfy { $0.fields["Retry-After"] == "2" })
    }

    @Test func `each failure doubles the wait, the right password ends it`() throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source)
        try service.register()
        var waits: [Int] = []

        for _ in 0..<19 {
            let answer = try attempt(service, "ann@example.com", "wrong password")
            if answer.status == .unauthorized { continue }
            waits.append(try required(answer.fields["Retry-After"].flatMap { Int($0) }))
            clock.advance(by: .seconds(try required(waits.last)))
        }
        #expect(waits == [2, 4, 8, 16, 32, 64, 128])
        #expect(try attempt(service, "bob@example.com", "wrong password").status == .unauthorized)

        #expect(try attempt(service, "ann@example.com", TestService.password).status == .tooManyRequests)
        clock.advance(by: .seconds(256))
        #expect(try attempt(service, "ann@example.com", TestService.password).status == .ok)
        for _ in 0..<5 { #expect(try attempt(service, "ann@example.com", "wrong password").status == .unauthorized) }
    }

    @Test func `how long one waits is decided by a table`() {
        let rule = AttemptRule()
        let now = Timestamp(seconds: 1_000_000_000)
        func after(failures: Int, last: Duration, blocked: Duration) -> AttemptRule.Decision {
            rule.admit(
                after: AttemptState(failures: failures, last: now - last, blockedUntil: now + blocked),
                at: now
            )
        }
        func admitted(_ failures: Int, wait: Duration) -> AttemptRule.Decision {
            .admitted(AttemptState(failures: failures, last: now, blockedUntil: now + wait))
        }

        #expect(rule.admit(after: nil, at: now) == admitted(1, wait: .zero))
        #expect(after(failures: 3, last: .seconds(9), blocked: .seconds(-9)) == admitted(4, wait: .zero))
        #expect(after(failures: 4, last: .seconds(9), blocked: .zero) == admitted(5, wait: .seconds(2)))
        #expect(after(failures: 9, last: .seconds(99), blocked: .seconds(-1)) == admitted(10, wait: .seconds(64)))
        #expect(after(failures: 4_000, last: .seconds(999), blocked: .zero) == admitted(4_001, wait: .seconds(900)))
        #expect(after(failures: 9, last: .seconds(1), blocked: .seconds(7)) == .refused(retryAfter: .seconds(7)))
        // Long ago, and a clock that was set back.
        #expect(after(failures: 9, last: .seconds(3_600), blocked: .seconds(-9)) == admitted(1, wait: .zero))
        #expect(after(failures: 9, last: .seconds(-9_999), blocked: .seconds(9_999)) == admitted(1, wait: .zero))
    }

    @Test func `an account that is not there takes as long as a wrong password`() throws {
        let service = try TestService { settings in
            settings.attemptRule.freeCount = 1_000
            settings.passwordParameters = Argon2id.Parameters(memory: 4 << 10, passes: 2, lanes: 1) ?? .standard
        }
        try service.register()
        let before = try service.measure("daleks_users_password_hashes_total")
        var bodies: [String: Set<String>] = [:]
        var ratios: [Double] = []

        // Whoever can be told apart can be told apart each time; what else the machine does falls on one of them
        // now and then.
        repeat {
            ratios.append(try ratioOfTimes(service, bodies: &bodies))
        } while ratios.count < 3 && !(0.8...1.25).contains(ratios[ratios.count - 1])

        #expect((0.8...1.25).contains(ratios[ratios.count - 1]), "\(ratios)")
        #expect(bodies["ann@example.com"] == bodies["nobody@example.com"] && bodies["ann@example.com"]?.count == 1)
        #expect(try service.measure("daleks_users_password_hashes_total") - before == 120 * ratios.count)
    }

    /// How long an answer about nobody takes, against one about somebody, in 60 turns of each.
    private func ratioOfTimes(_ service: TestService, bodies: inout [String: Set<String>]) throws -> Double {
        var times: [String: [Duration]] = ["ann@example.com": [], "nobody@example.com": []]
        for round in 0..<60 {
            for email in round % 2 == 0 ? times.keys.sorted() : times.keys.sorted().reversed() {
                let start = TimeSource.system.now
                let answer = try attempt(service, email, "wrong password")
                times[email]?.append(TimeSource.system.now - start)
                let problem = JSONReader(try JSONValue.parse(answer.body))
                bodies[email, default: []].insert("\(answer.status) \(try problem.string("detail"))")
            }
        }
        let medians = times.mapValues { $0.sorted()[$0.count / 2] }
        return try required(medians["nobody@example.com"]) / required(medians["ann@example.com"])
    }

    @Test func `cores are taken by so many at a time, in the order in which they came`() {
        let one = CoreTurns(coreCount: 1)
        let order = Lock<[Int]>([])
        let isFree = Gate()
        let line = (0..<8).map { index in
            let thread = Thread(name: "turn") {
                one.run {
                    isFree.wait()
                    order.withLock { $0.append(index) }
                }
            }
            usleep(20_000)
            return thread
        }
        isFree.open()
        for thread in line { thread.join() }
        #expect(order.withLock { $0 } == Array(0..<8))

        let two = CoreTurns(coreCount: 2)
        let running = Lock((now: 0, most: 0))
        _ = atOnce(8) { _ in
            two.run {
                running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                usleep(5_000)
                running.withLock { $0.now -= 1 }
            }
        }
        #expect(running.withLock { $0.most } == 2)
    }

    @Test func `so many hashes are let in, and the rest hears to come back`() throws {
        let hasher = try PasswordHasher(
            parameters: .standard,
            coreCount: 2,
            waitingCountMax: 3,
            hashes: Metrics().counter("hashes_total", help: "Hashes.")
        )
        let isOpen = Gate()
        let done = Condition(0)

        for _ in 0..<5 {
            try hasher.admit().run { turn in
                isOpen.wait()
                _ = try? turn.verify("x", against: nil)
                done.withLock { $0 += 1 }
                done.broadcast()
            }
        }
        let refusal = #expect(throws: APIError.self) { try hasher.admit() }
        #expect(refusal?.code == .unavailable && refusal?.fields["Retry-After"] == "2")
        isOpen.open()

        #expect(done.wait(timeout: .seconds(20)) { $0 == 5 ? true : nil } == true)
        hasher.close()
        #expect(hasher.admittedCount == 0)
        do {
            let place = try hasher.admit()
            #expect(hasher.admittedCount == 1)
            _ = place
        }
        #expect(hasher.admittedCount == 0)
    }

    @Test func `a full line answers 503 and counts nobody's failure`() throws {
        let service = try TestService { settings in
            settings.passwordParameters = .standard
            settings.waitingHashesMaxPerCore = 2
        }
        try service.register()

        // Registrations of different people are not counted per account, and fill the line.
        let answers = try atOnce(40) { index in
            try service.send(
                .post,
                Routes.Users.users,
                #"{"email": "p\#(index)@example.com", "password": "a good password", "name": "x"}"#
            )
        }.map { try $0.get() }

        let refused = answers.filter { $0.status == .serviceUnavailable }
        #expect(!refused.isEmpty)
        #expect(refused.allSatisfy { $0.code == "unavailable" && $0.fields["Retry-After"] != nil })
        #expect(answers.allSatisfy { $0.status == .created || $0.status == .serviceUnavailable })
        _ = try service.logIn()
    }

    @Test func `a hash is renewed at log-in when the parameters rose`() throws {
        let folder = ScratchFolder()
        let before = try TestService(folder: folder)
        try before.register()
        before.stop()
        let stored = {
            let database = try Database.open(
                path: folder.path("state/users.db"),
                configuration: DatabaseConfiguration(applicationID: UsersSchema.applicationID),
                migrations: UsersSchema.migrations
            )
            defer { database.close() }
            return try database.read { db in try db.query("SELECT password FROM accounts") { try $0.text(0) } }
        }
        #expect(try stored()[0].hasPrefix("$argon2id$v=19$m=64,t=1,p=1$"))

        let after = try TestService(folder: folder) { settings in
            settings.passwordParameters = Argon2id.Parameters(memory: 128, passes: 2, lanes: 1) ?? .standard
        }
        _ = try after.logIn()
        #expect(throws: ClientFailure.self) { try after.logIn(password: "wrong password") }
        _ = try after.logIn()
        after.stop()

        #expect(try stored()[0].hasPrefix("$argon2id$v=19$m=128,t=2,p=1$"))
    }

    @Test(arguments: [
        ("short12", false), ("längerer", true), ("12345678", false), ("Password1", false), ("ANN@example.com", false),
        (" ann@EXAMPLE.com", false), ("aaaaaaaaaaaaa", false), ("Daleks2026", false),
        ("sunshine!", false), ("Football2027", false), ("football83649271", true), ("daleksdaleks", true),
        ("ann123456", true), ("daleks!!!!", false), ("abcabcabcabc", false), ("zzzzzzzy", true),
        ("correct horse", true), (String(repeating: "xy z", count: 256), true),
        (String(repeating: "xy z", count: 256) + "!", false), ("pass\u{0}word!", true),
    ])
    func `a password is long, not too long, not the e-mail, and none of the first that are guessed`(
        password: String,
        isGood: Bool
    ) throws {
        let email = try required(Email("ann@example.com"))

        let result = Result { () throws(APIError) in try PasswordRule.check(password, email: email) }

        #expect(((try? result.get()) != nil) == isGood)
    }

    @Test(arguments: [
        ("a@b", "a@b"), (" Ann.B+x@Example.co.uk\n", "ann.b+x@example.co.uk"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("a", nil), ("", nil), ("@b", nil), ("a@", nil), ("a@b@c", nil), ("a b@c", nil), ("a@b..c", nil), ("a@-b", nil),
        ("a@b.c.", nil), ("ännchen@example.com", nil), ("a@exämple.com", nil), ("a\u{0}@b", nil), ("<a@b>", nil),
        (String(repeating: "a", count: 65) + "@b", nil),
        ("a@" + (0..<50).map { _ in "label" }.joined(separator: "."), nil),
    ])
    func `an e-mail has one spelling`(typed: String, expected: String?) {
        #expect(Email(typed)?.text == expected)
    }

    @Test func `passwords and tokens are in no file, no log and no number`() throws {
        let folder = ScratchFolder()
        let service = try TestService(folder: folder)
        let wrong = "quite another secret 4711"
        let session = try service.newcomer()
        _ = try? service.logIn(password: wrong)
        let first = try required(session.refreshToken)
        let second = try required(
            try service.users.refresh(first, requestID: "a-very-secret-request-id", resource: nil).refreshToken
        )
        let third = try service.users.refresh(second, requestID: "another-secret-request-id", resource: nil)
        _ = try? service.users.refresh(first, requestID: "yet-another-request-id", resource: nil)
        _ = try? service.me(third)
        let metrics = try service.send(.get, "/metrics").body
        // The log holds what the database does not have yet.
        let state = try Files.entries(of: folder.path("state")).filter { !["keys", ".", ".."].contains($0) }
        let stored = try state.flatMap { try folder.read("state/\($0)") }
        service.stop()
        let after = try Files.entries(of: folder.path("state")).filter { !["keys", ".", ".."].contains($0) }
            .flatMap { try folder.read("state/\($0)") }
        let logged = service.log.joined(separator: "\n")

        // What must be found, so that the search is one.
        #expect(String(decoding: stored, as: Unicode.ASCII.self).contains("ann@example.com"))
        #expect(logged.contains("came twice"))
        for secret in [TestService.password, wrong, first, second, try required(third.refreshToken), third.accessToken]
        {
            let core = Array(secret.utf8.dropFirst(4).prefix(24))
            #expect(!contains(stored, core) && !contains(after, core) && !contains(metrics, core))
            #expect(!logged.contains(String(decoding: core, as: UTF8.self)))
            let bytes = try RefreshToken(secret).map { _ in
                Array(try required(Base64.decode(secret.dropFirst(4)))[16..<48])
            }
            if let bytes { #expect(!contains(stored, bytes) && !contains(after, bytes)) }
        }
        for text in ["a-very-secret-request-id", "another-secret-request-id"] {
            #expect(!contains(stored, Array(text.utf8)) && !logged.contains(text))
        }
    }

    private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        guard let first = part.first, bytes.count >= part.count else { return false }
        return bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            while start <= bytes.count - part.count {
                if bytes[start] == first, part.indices.allSatisfy({ bytes[start + $0] == part[$0] }) { return true }
                start += 1
            }
            return false
        }
    }
}
