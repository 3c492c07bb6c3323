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
struct AbuseTests {
    private static func wrong(_ email: String = "ann@example.com") -> JSONObject {
        ["email": .string(email), "password": "not it, not at all", "device": "x"]
    }

    @Test(arguments: Backend.allCases)
    func `a hundred wrong passwords at once get five looks`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        try service.register()
        let before = try service.measure("daleks_users_password_hashes_total")

        let answers = atOnce(100) { _ in try service.json(.post, Routes.Users.login, Self.wrong()) }
            .compactMap { try? $0.get() }

        let hashes = try service.measure("daleks_users_password_hashes_total") - before
        let refused = answers.filter { $0.status == .unauthorized }.count
        #expect(answers.count == 100)
        #expect(hashes <= 5 && refused == hashes, "\(hashes) hashes, \(refused) refusals")
        for answer in answers where answer.status != .unauthorized {
            #expect([429, 503].contains(answer.status.code))
            #expect((Int(answer.fields["Retry-After"] ?? "") ?? 0) >= 1)
        }
        // The right one waits too.
        #expect(throws: (any Error).self) { try service.logIn() }
    }

    @Test(arguments: Backend.allCases)
    func `two processes on one count count as one`(backend: Backend) throws {
        // SQLite belongs to one process; what is counted there is the same.
        let first = try TestService(on: backend)
        defer { first.stop() }
        guard backend == .postgres else { return }
        let url = try backend.makeURL()
        let one = try TestService { $0.database = url }
        let two = try TestService { $0.database = url }
        defer {
            one.stop()
            two.stop()
        }
        try one.register()

        let answers = atOnce(60) { index in
            try (index % 2 == 0 ? one : two).json(.post, Routes.Users.login, Self.wrong())
        }.compactMap { try? $0.get() }

        #expect(answers.filter { $0.status == .unauthorized }.count <= 5)
    }

    @Test func `what comes from one address is counted too, whatever account it is for`() throws {
        let service = try TestService { settings in
            settings.siteAttemptRule = AttemptRule(freeCount: 6)
            settings.serving.trustedProxies = ["127.0.0.1"]
        }
        defer { service.stop() }
        func status(_ index: Int, from address: String) throws -> Int {
            try service.send(
                .post,
                Routes.Users.login,
                String(decoding: Self.wrong("user\(index)@example.com").jsonBytes, as: UTF8.self),
                fields: [("X-Forwarded-For", address)]
            ).status.code
        }

        let first = try (0..<8).map { try status($0, from: "2001:db8::\($0 + 1)") }
        let elsewhere = try status(9, from: "2001:db8:0:1::1")

        #expect(first == [401, 401, 401, 401, 401, 401, 429, 429])
        #expect(elsewhere == 401)
    }

    @Test func `who comes at the same moment as others is not taken for who must wait`() {
        let (rule, now) = (AttemptRule(freeCount: 100), Timestamp(seconds: 1_800_000_000))
        let later = AttemptState(failures: 3, last: now + .milliseconds(5), blockedUntil: now + .milliseconds(5))

        guard case .admitted(let state) = rule.admit(after: later, at: now) else {
            Issue.record("refused")
            return
        }
        #expect(state.failures == 4)
    }

    @Test func `waits double, and end at a quarter of an hour`() {
        let rule = AttemptRule()
        var (state, now, waits): (AttemptState?, Timestamp, [Int64]) = (nil, Timestamp(seconds: 1_800_000_000), [])
        for _ in 0..<16 {
            switch rule.admit(after: state, at: now) {
            case .admitted(let next):
                waits.append((next.blockedUntil - now).nanoseconds / 1_000_000_000)
                (state, now) = (next, max(now, next.blockedUntil))
            case .refused: Issue.record("refused when the wait was over")
            }
        }
        #expect(waits == [0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
    }

    /// 500 of each in the long form; the short one only looks for the gross: a check that is skipped.
    @Test func `an account that is not there answers as a wrong password does, and as late`() throws {
        let rounds = Int(getenv("DALEKS_ROUNDS").map { String(cString: $0) } ?? "") ?? 20
        let service = try TestService { settings in
            settings.passwordParameters = .standard
            settings.attemptRule = AttemptRule(freeCount: 1_000_000)
            settings.siteAttemptRule = AttemptRule(freeCount: 1_000_000)
        }
        defer { service.stop() }
        try service.register()
        var times: [[Double]] = [[], []]
        var answers: [(Int, String, [String])] = []

        for round in 0..<(2 * rounds) {
            // In turns, and in both orders, so that what else this machine does meets both alike.
            let isKnown = (round + round / 2) % 2 == 0
            let began = TimeSource.system.now
            let answer = try service.json(
                .post,
                Routes.Users.login,
                Self.wrong(isKnown ? "ann@example.com" : "bob@example.com")
            )
            times[isKnown ? 0 : 1].append(Double((TimeSource.system.now - began).nanoseconds))
            if round < 4 {
                let body = try answer.reader
                answers.append(
                    (answer.status.code, try body.string("detail"), answer.fields.all.map(\.name).sorted())
                )
            }
        }

        // Of many the medians. Of few the fast ones, which others on this machine slowed least.
        let medians = times.map { $0.sorted()[rounds >= 500 ? $0.count / 2 : $0.count / 10] }
        let difference = abs(medians[0] - medians[1]) / medians[0]
        #expect(answers.allSatisfy { $0.0 == 401 && $0.1 == answers[0].1 && $0.2 == answers[0].2 })
        #expect(difference < (rounds >= 500 ? 0.02 : 0.25), "medians \(medians) differ by \(difference * 100) %")
        if rounds >= 500 {
            print("unknown \(medians[1] / 1e6) ms, wrong \(medians[0] / 1e6) ms, \(difference * 100) %")
        }
    }

    @Test func `five hundred log-ins at once stay within memory, and a quiet service is small`() throws {
        let folder = ScratchFolder()
        let program = try RunningProgram([
            "--state", folder.path("state"), "--port", "0", "--region", "here=http://files.example", "--registration",
            "open",
        ])
        var wide = HTTPClientConfiguration()
        wide.connectionsPerHostMax = 500
        let http = HTTPClient(configuration: wide)
        defer { http.shutdown() }
        let users = UsersClient(url: program.url, http: http)
        _ = try users.register(RegistrationRequest(email: "ann@example.com", password: "a good password", name: "Ann"))
        @Sendable func residentMiB() throws -> Int {
            let status = String(
                decoding: try Files.readAll("/proc/\(program.process.processID)/status", max: 1 << 16),
                as: UTF8.self
            )
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            return (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0) / 1_024
        }
        let (peak, isOver) = (Lock(0), Lock(false))
        let watcher = Thread(name: "watcher") {
            while !isOver.withLock({ $0 }) {
                let now = (try? residentMiB()) ?? 0
                peak.withLock { $0 = max($0, now) }
                usleep(5_000)
            }
        }

        let results = atOnce(500) { _ in
            _ = try users.logIn(
                LoginRequest(email: "ann@example.com", password: "a good password", region: nil, device: "x")
            )
        }
        isOver.withLock { $0 = true }
        watcher.join()
        usleep(300_000)

        let idle = try residentMiB()
        let cores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let done = results.filter { (try? $0.get()) != nil }.count
        #expect(done >= 1)
        // A sanitizer keeps notes of its own of every byte.
        #if !DALEKS_SANITIZE
        #expect(peak.withLock { $0 } <= 60 + 19 * cores + 40, "\(peak.withLock { $0 }) MiB at the peak")
        #expect(idle <= 60, "\(idle) MiB when idle")
        #endif
        print("500 log-ins at once: \(done) let in, peak \(peak.withLock { $0 }) MiB, idle \(idle) MiB")
    }
}
