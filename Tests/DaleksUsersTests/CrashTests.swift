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

/// Kill -9 at random moments while people register, log in and refresh, and keys rotate.
@Suite(.serialized)
struct CrashTests {
    /// A session as its owner knows it.
    private struct Known: Sendable {
        let email: String
        var token: String
        /// Of the refresh whose answer is not known.
        var request: String?
    }

    private final class Memory: Sendable {
        struct State {
            var sessions: [Known] = []
            /// Asked for, never answered.
            var uncertain: [String] = []
            /// With the moment of their answer.
            var access: [(token: String, at: Timestamp)] = []
        }
        let state = Lock(State())
        /// Requests of this round that were answered.
        let answered = Condition(0)

        func noteAnswer() {
            answered.withLock { $0 += 1 }
            answered.broadcast()
        }
    }

    private static let password = "a good password"

    @Test(arguments: Backend.allCases)
    func `killed at any moment it forgets nothing that was answered, and nothing is stuck`(backend: Backend) throws {
        let rounds = Int(getenv("DALEKS_ROUNDS").map { String(cString: $0) } ?? "") ?? 4
        let seed = UInt64(getenv("DALEKS_SEED").map { String(cString: $0) } ?? "") ?? Random.word()
        var random = SeededGenerator(seed: seed)
        let (folder, memory, checked) = (ScratchFolder(), Memory(), Lock((sessions: 0, accounts: 0, tokens: 0)))
        var arguments = [
            "--state", folder.path("state"), "--port", "0", "--region", "here=http://files.example", "--registration",
            "open", "--registrations-per-hour", "1000000", "--attempts-per-address", "1000000", "--access-lifetime",
            "5s", "--key-period", "1s", "--key-announce", "300ms", "--key-retire", "7s",
        ]
        if let url = try backend.makeURL() { arguments += ["--database", url] }

        for round in 0..<rounds {
            let program = try RunningProgram(arguments)
            let http = HTTPClient(configuration: HTTPClientConfiguration())
            defer { http.shutdown() }
            let users = UsersClient(url: program.url, http: http)
            do {
                try check(memory, users, http, program, checked)
            } catch {
                Issue.record("seed \(seed), round \(round): \(error)")
                throw error
            }
            memory.answered.withLock { $0 = 0 }
            let workers = (0..<3).map { worker in
                Thread(name: "worker") { Self.work(memory, users, "r\(round)w\(worker)") }
            }
            // After some work and not after some time: a busy machine would only ever be killed at the start.
            let work = Int.random(in: 0...40, using: &random)
            _ = memory.answered.wait(timeout: .seconds(20)) { $0 >= work ? true : nil }
            usleep(UInt32.random(in: 0...30_000, using: &random))
            program.process.send(SIGKILL)
            _ = program.process.wait(timeout: .seconds(10))
            for worker in workers { worker.join() }
        }

        let counts = checked.withLock { $0 }
        // A busy machine gets nowhere in a few short rounds.
        #expect(rounds < 20 || (counts.sessions > 0 && counts.accounts > 0 && counts.tokens > 0), "\(counts)")
        print("kill -9, \(backend), \(rounds) rounds, seed \(seed): \(counts)")
    }

    private static func work(_ memory: Memory, _ users: UsersClient, _ name: String) {
        for count in 0..<10_000 {
            let email = "\(name)c\(count)@example.com"
            do throws(ClientFailure) {
                _ = try users.register(RegistrationRequest(email: email, password: password, name: "x"))
            } catch {
                memory.state.withLock { $0.uncertain.append(email) }
                return
            }
            memory.noteAnswer()
            guard let session = try? users.logIn(login(email)), let token = session.refreshToken else {
                // The account was answered: it must be there.
                memory.state.withLock { $0.uncertain.append(email) }
                return
            }
            memory.noteAnswer()
            var known = Known(email: email, token: token)
            for _ in 0..<3 {
                let request = Hex.encode(Random.bytes(count: 16))
                guard let next = try? users.refresh(known.token, requestID: request, resource: nil),
                    let token = next.refreshToken
                else {
                    known.request = request
                    break
                }
                known.token = token
                memory.noteAnswer()
                memory.state.withLock { $0.access.append((next.accessToken, TimeSource.system.wall)) }
            }
            let made = known
            memory.state.withLock { $0.sessions.append(made) }
            if made.request != nil { return }
        }
    }

    private static func login(_ email: String) -> LoginRequest {
        LoginRequest(email: email, password: password, region: nil, device: "x")
    }

    private func check(
        _ memory: Memory,
        _ users: UsersClient,
        _ http: HTTPClient,
        _ program: RunningProgram,
        _ checked: Lock<(sessions: Int, accounts: Int, tokens: Int)>
    ) throws {
        let (sessions, uncertain, access) = memory.state.withLock { state in
            defer { state = Memory.State() }
            // Those cut off in the middle first; of the others a few.
            let cut = state.sessions.filter { $0.request != nil }
            return (
                cut + state.sessions.filter { $0.request == nil }.suffix(3), state.uncertain, state.access.suffix(5)
            )
        }
        let keys = try JWKSet(
            json: try JSONValue.parse(try http.send(ClientRequest(.get, users.url + Routes.Users.keys)).body)
        )
        for (token, moment) in access where TimeSource.system.wall - moment < .seconds(4) {
            _ = try JWT.verify(
                token,
                keys: { id, _ in keys[id].flatMap { try? VerificationKey(jwk: $0) } },
                type: "at+jwt",
                allowed: [.es256],
                now: moment,
                leeway: .seconds(1),
                audience: "http://files.example",
                issuer: try required(issuer(of: token))
            )
            checked.withLock { $0.tokens += 1 }
        }
        for known in sessions {
            // The same request again where its answer was lost, as a client does.
            let request = known.request ?? Hex.encode(Random.bytes(count: 16))
            let next = try users.refresh(known.token, requestID: request, resource: nil)
            _ = try users.refresh(
                try required(next.refreshToken),
                requestID: Hex.encode(Random.bytes(count: 16)),
                resource: nil
            )
            checked.withLock { $0.sessions += 1 }
        }
        for email in uncertain {
            // Either it is there whole, or not at all.
            do throws(ClientFailure) {
                _ = try users.register(RegistrationRequest(email: email, password: Self.password, name: "x"))
            } catch {
                guard error.code == "already_exists" else { throw error }
            }
            _ = try users.logIn(Self.login(email))
            checked.withLock { $0.accounts += 1 }
        }
    }

    /// The port changes with each start, and the issuer with it.
    private func issuer(of token: String) -> String? {
        let parts = token.split(separator: ".")
        guard parts.count == 3, let bytes = Base64.decode(String(parts[1]), .url),
            let json = try? JSONValue.parse(bytes)
        else { return nil }
        return try? JSONReader(json).string("iss")
    }
}
