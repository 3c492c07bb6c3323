import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Tokens that are good by themselves and must not be believed any more.
struct RevocationTests {
    private func caller(_ user: UserID, session: SessionID = .random(at: .zero), issued: Int64 = 100) -> Caller {
        Caller(
            user: user,
            session: session,
            scope: [.read, .write],
            issued: Timestamp(seconds: issued),
            expires: Timestamp(seconds: issued + 600)
        )
    }

    @Test func `each kind of revocation refuses what it names and nothing else`() {
        let (user, other, session) = (UserID.random(at: .zero), UserID.random(at: .zero), SessionID.random(at: .zero))
        func after(_ kind: Revocation.Kind) -> Revocations {
            let revocations = Revocations()
            revocations.apply([Revocation(number: 1, time: Timestamp(seconds: 150), kind: kind)])
            return revocations
        }
        let ended = after(.session(session, of: user))
        #expect(ended.isRevoked(caller(user, session: session)))
        #expect(!ended.isRevoked(caller(user, session: .random(at: .zero))) && !ended.isRevoked(caller(user)))
        let locked = after(.user(user, before: Timestamp(seconds: 120)))
        #expect(locked.isRevoked(caller(user, issued: 120)) && !locked.isRevoked(caller(user, issued: 121)))
        #expect(!locked.isRevoked(caller(other)))
        let gone = after(.deletion(user, purgeAfter: Timestamp(seconds: 999)))
        #expect(gone.isRevoked(caller(user, issued: 500)) && !gone.isRevoked(caller(other)))
        let all = after(.everything(before: Timestamp(seconds: 100)))
        #expect(all.isRevoked(caller(other)) && !all.isRevoked(caller(other, issued: 101)))
        #expect(!after(.unknown("later")).isRevoked(caller(user)))
        ended.forget(before: Timestamp(seconds: 151))
        #expect(!ended.isRevoked(caller(user, session: session)))
    }

    /// A users service as far as its feed goes.
    final class Feed: Sendable {
        struct State {
            var events: [Revocation] = []
            var asked: [String] = []
            var isAway = false
        }
        let state = Lock(State())
        let server: HTTPServer

        init() throws {
            var router = Router()
            let state = state
            router.on(.get, Routes.Users.revocations) { request, _ throws(APIError) in
                guard request.fields["Authorization"] == "Basic c2VydmljZTpzZWNyZXQ=" else {
                    throw .unauthorized("who is this?")
                }
                let after = try request.query.only("after")
                return try state.withLock { state throws(APIError) in
                    guard !state.isAway else { throw APIError.unavailable("away") }
                    state.asked.append(after ?? "")
                    let number = Int64(after?.split(separator: ".").last ?? "0") ?? 0
                    let events = state.events.filter { $0.number > number }
                    let last = events.last?.number ?? number
                    return .json(of: RevocationPage(events: events, cursor: "1.\(last)", isRestart: false))
                }
            }
            server = try HTTPServer(HTTPServerConfiguration(port: 0), router: router, logger: .silent)
            try server.start()
        }

        deinit { server.stop() }

        func end(_ session: SessionID, of user: UserID, at time: Timestamp) {
            state.withLock { state in
                let number = Int64(state.events.count + 1)
                let kind = Revocation.Kind.session(session, of: user)
                state.events.append(Revocation(number: number, time: time, kind: kind))
            }
        }
    }

    @Test func `a region follows the feed, and remembers it over a restart while the users service is away`() throws {
        let region = try TestRegion()
        let now = region.clock.source.wall
        let feed = try Feed()
        let client = HTTPClient()
        defer { client.shutdown() }
        let (user, first, second) = (UserID.random(at: .zero), SessionID.random(at: .zero), SessionID.random(at: .zero))
        func follow(_ revocations: Revocations) -> RevocationFeed {
            RevocationFeed(
                revocations,
                usersURL: "http://127.0.0.1:\(feed.server.port)",
                credentials: ServiceCredentials(id: "service", secret: "secret"),
                client: client,
                store: region.store,
                interval: .milliseconds(20),
                logger: .silent,
                onChange: {}
            )
        }
        feed.end(first, of: user, at: now)
        let revocations = Revocations()
        let following = follow(revocations)
        defer { following.stop() }
        #expect(eventually { feed.state.withLock { $0.asked.contains("1.1") } })
        feed.end(second, of: user, at: now)
        #expect(eventually { feed.state.withLock { $0.asked.contains("1.2") } })
        for session in [first, second] { #expect(revocations.isRevoked(caller(user, session: session))) }
        feed.state.withLock { $0.isAway = true }

        let again = Revocations()
        let restarted = follow(again)
        restarted.stop()
        for session in [first, second] { #expect(again.isRevoked(caller(user, session: session))) }
        let stored = try region.store.read { db in try SecretTable.load("revocation-cursor", db) }
        #expect(stored == Array("1.2".utf8))
    }
}
