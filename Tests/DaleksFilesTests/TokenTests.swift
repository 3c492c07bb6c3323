import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Keys that come and go, in driven time.
struct TokenTests {
    let clock = ManualClock(wall: TimeSource.system.wall)
    let folder = ScratchFolder()
    let users: TestUsers
    let audience = "https://region.example"
    let user = UserID.random(at: .zero)

    init() throws { users = try TestUsers() }

    /// A verifier as one start of the service has it.
    private final class Start {
        let store: TreeStore
        let client = HTTPClient()
        let tokens: TokenVerifier

        init(_ test: TokenTests) throws {
            store = try TreeStore(
                path: test.folder.path("files.db"),
                bytesQuota: 0,
                time: test.clock.source,
                logger: .silent
            )
            let keys = KeySource(
                usersURL: test.users.url,
                client: client,
                store: store,
                time: test.clock.source,
                logger: .silent,
                measures: FilesMeasures(Metrics())
            )
            tokens = TokenVerifier(keys: keys, issuer: test.users.url, time: test.clock.source, logger: .silent)
            tokens.setAudience(test.audience)
        }

        deinit {
            client.shutdown()
            store.close()
        }

        func status(_ token: String) -> Int {
            do throws(APIError) {
                _ = try tokens.verify(token)
                return 200
            } catch {
                return error.status.code
            }
        }
    }

    private func token(expiresIn: Duration = .seconds(600)) throws -> String {
        try users.token(for: user, audience: audience, expiresIn: expiresIn, now: clock.source.wall)
    }

    @Test func `a caller is who the token says, until it expires`() throws {
        let start = try Start(self)
        let token = try token()

        let caller = try start.tokens.verify(token)
        #expect(caller.user == user && caller.scope == [.read, .write, .share])
        clock.advance(by: .seconds(599))
        #expect(start.status(token) == 200)
        clock.advance(by: .seconds(60))
        #expect(start.status(token) == 401)
    }

    @Test func `a new key is fetched when its first token comes, but at most once in thirty seconds`() throws {
        let start = try Start(self)
        #expect(start.status(try token()) == 200)
        try users.rotate()
        let new = try token()

        #expect(start.status(new) == 401)
        clock.advance(by: .seconds(31))
        #expect(start.status(new) == 200)
        #expect(users.fetchCount == 2)
    }

    @Test func `a start without keys says so and tries again soon`() throws {
        users.goAway()
        let start = try Start(self)
        let token = try token()

        #expect(start.status(token) == 503)
        #expect(start.status(token) == 503)
        try users.comeBack()
        clock.advance(by: .seconds(2))
        #expect(start.status(token) == 200)
    }

    @Test func `a start while the users service is away works with the keys of the last one`() throws {
        #expect(try Start(self).status(try token()) == 200)
        users.goAway()

        let start = try Start(self)

        #expect(start.status(try token()) == 200)
    }

    @Test func `a failed fetch takes no key away, and a withdrawn key goes with the next good one`() throws {
        let start = try Start(self)
        let old = try token(expiresIn: .seconds(86_400))
        #expect(start.status(old) == 200)

        users.goAway()
        clock.advance(by: .seconds(400))
        #expect(start.status(try token()) == 200)
        try users.rotate(withdrawingOld: true)
        try users.comeBack()
        clock.advance(by: .seconds(31))
        #expect(start.status(try token()) == 200)
        let stranger = try users.token(for: .random(at: .zero), audience: audience, now: clock.source.wall)
        #expect(start.status(stranger) == 200)
    }

    @Test func `a token dies with the key that signed it, though it was checked before`() throws {
        let start = try Start(self)
        let old = try token(expiresIn: .seconds(3_600))
        #expect(start.status(old) == 200)

        try users.rotate(withdrawingOld: true)
        clock.advance(by: .seconds(31))
        #expect(start.status(try token()) == 200)

        #expect(start.status(old) == 401)
    }

    @Test func `a token is refused that would live longer than a day, or belongs to no session`() throws {
        let start = try Start(self)

        #expect(start.status(try token(expiresIn: .seconds(86_400))) == 200)
        #expect(start.status(try token(expiresIn: .seconds(86_401))) == 401)
        // A program that acts for itself may have a name that looks like a person's id.
        let impostor = try users.token(for: user, audience: audience, session: nil, now: clock.source.wall)
        #expect(start.status(impostor) == 401)
    }

    @Test func `no more tokens are remembered than the limit`() throws {
        let start = try Start(self)
        #expect(start.status(try token()) == 200)
        #expect(start.tokens.rememberedCount == 1)
        for _ in 0..<10 { _ = start.status("not.a.token") }
        #expect(start.tokens.rememberedCount == 1)
    }
}
