import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// Two processes on one PostgreSQL.
@Suite(.serialized)
struct SharedDatabaseTests {
    private struct Pair {
        let folder = ScratchFolder()
        let programs: [RunningProgram]
        let http: HTTPClient
        let users: [UsersClient]

        init(_ more: [String] = []) throws {
            let url = try required(try Backend.postgres.makeURL())
            let folder = folder
            programs = try (0..<2).map { number in
                try RunningProgram(
                    [
                        "--state", folder.path("state\(number)"), "--port", "0", "--database", url, "--issuer",
                        "https://users.example", "--region", "here=http://files.example", "--registration", "open",
                        "--registrations-per-hour", "1000000",
                    ] + more
                )
            }
            var configuration = HTTPClientConfiguration()
            configuration.connectionsPerHostMax = 64
            http = HTTPClient(configuration: configuration)
            let http = http
            users = programs.map { UsersClient(url: "http://127.0.0.1:\($0.port)", http: http) }
        }

        func stop() {
            http.shutdown()
            for program in programs {
                program.process.send(SIGTERM)
                _ = program.process.wait(timeout: .seconds(10))
            }
        }
    }

    @Test func `two processes that start at once on an empty database, and serve, are one service`() throws {
        let pair = try Pair()
        defer { pair.stop() }
        let users = pair.users
        let rounds = Int(getenv("DALEKS_ROUNDS").map { String(cString: $0) } ?? "") ?? 6

        // Everybody registers at one, logs in at the other, and refreshes at both in turns, all at the same time.
        let outcomes = atOnce(8) { person -> Int in
            var count = 0
            for round in 0..<rounds {
                let email = "p\(person)r\(round)@example.com"
                let (one, other) = (users[(person + round) % 2], users[(person + round + 1) % 2])
                _ = try one.register(RegistrationRequest(email: email, password: "a good password", name: "x"))
                var session = try other.logIn(
                    LoginRequest(email: email, password: "a good password", region: nil, device: "x")
                )
                for turn in 0..<4 {
                    session = try users[turn % 2].refresh(
                        try required(session.refreshToken),
                        requestID: Hex.encode(Random.bytes(count: 16)),
                        resource: turn == 3 ? "https://users.example" : nil
                    )
                    count += 1
                }
                #expect(try one.me(accessToken: session.accessToken).email == email)
                #expect(try other.me(accessToken: session.accessToken).email == email)
            }
            return count
        }

        for outcome in outcomes { #expect(throws: Never.self) { try outcome.get() } }
    }

    @Test func `of one name registered at both at once there is one account`() throws {
        let pair = try Pair()
        defer { pair.stop() }
        let users = pair.users

        for round in 0..<5 {
            let made = atOnce(8) { index in
                try users[index % 2].register(
                    RegistrationRequest(email: "ann\(round)@example.com", password: "a good password", name: "x")
                )
            }
            #expect(made.filter { (try? $0.get()) != nil }.count == 1)
        }
    }

    @Test func `one refresh token used sixteen times at once at both leaves one live family`() throws {
        let pair = try Pair()
        defer { pair.stop() }
        let users = pair.users
        _ = try users[0].register(RegistrationRequest(email: "ann@example.com", password: "a good password", name: "x"))

        for _ in 0..<5 {
            let session = try users[0].logIn(
                LoginRequest(email: "ann@example.com", password: "a good password", region: nil, device: "x")
            )
            let token = try required(session.refreshToken)
            let answers = atOnce(16) { index in
                try required(
                    try users[index % 2].refresh(token, requestID: Hex.encode(Random.bytes(count: 16)), resource: nil)
                        .refreshToken
                )
            }
            let successors = Set(answers.compactMap { try? $0.get() })
            #expect(answers.allSatisfy { (try? $0.get()) != nil })
            #expect(successors.count == 1)
            let last = try required(successors.first)
            #expect(throws: Never.self) {
                try users[1].refresh(last, requestID: Hex.encode(Random.bytes(count: 16)), resource: nil)
            }
        }
    }
}
