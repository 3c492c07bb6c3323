import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// Refresh tokens: each is good once, but an answer that was lost must log nobody out.
struct RefreshTests {
    private let clock = ManualClock()

    private func refresh(
        _ service: TestService,
        _ token: String?,
        request: String? = nil
    ) throws -> (token: String?, error: String?) {
        var form = [("grant_type", "refresh_token"), ("refresh_token", try required(token))]
        if let request { form.append(("request_id", request)) }
        let response = try service.form(Routes.Users.token, form)
        guard response.status == .ok else { return (nil, response.code) }
        let answer = try SessionAnswer(json: try JSONValue.parse(response.body))
        _ = try service.verify(answer.accessToken, at: clock.source.wall)
        return (answer.refreshToken, nil)
    }

    /// DALEKS_ROUNDS=500 takes a minute or two.
    private static let roundCount = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 50

    @Test func `sixteen at once with one token all get the same successor, round after round`() throws {
        let service = try TestService()
        var token = try required(try service.newcomer().refreshToken)
        var seen: Set<String> = [token]

        for round in 0..<Self.roundCount {
            let shown = token
            let answers = atOnce(16) { _ in
                try service.users.refresh(shown, requestID: "round-\(round)-of-a-test", resource: nil)
            }
            let successors = Set(try answers.map { try required(try $0.get().refreshToken) })
            #expect(successors.count == 1)
            token = try required(successors.first)
            #expect(seen.insert(token).inserted)
        }

        #expect(try service.measure(#"daleks_users_refreshes_total{outcome="done"}"#) == Self.roundCount)
        #expect(try service.measure(#"daleks_users_refreshes_total{outcome="repeated"}"#) == Self.roundCount * 15)
        #expect(try service.measure(#"daleks_users_refreshes_total{outcome="reused"}"#) == 0)
        #expect(try service.measure(#"daleks_users_refreshes_total{outcome="refused"}"#) == 0)
    }

    @Test func `sixteen at once without a request id, in session after session, leave one live family each`() throws {
        let service = try TestService()
        try service.register()

        for _ in 0..<Self.roundCount {
            let shown = try required(try service.logIn().refreshToken)
            let answers = atOnce(16) { _ in
                try service.form(Routes.Users.token, [("grant_type", "refresh_token"), ("refresh_token", shown)])
            }
            let sessions = try answers.map { try SessionAnswer(json: try JSONValue.parse(try $0.get().body)) }
            #expect(Set(sessions.map(\.refreshToken)).count == 1)
            #expect(Set(sessions.map(\.accessToken)).count == 16)
        }
    }

    @Test func `the predecessor gets its successor again for ten seconds, and then ends the session`() throws {
        let service = try TestService(time: clock.source)
        let first = try service.newcomer().refreshToken
        let second = try refresh(service, first).token

        clock.advance(by: .seconds(10))
        #expect(try refresh(service, first).token == second)
        clock.advance(by: .seconds(1))
        #expect(try refresh(service, first).error == "invalid_grant")

        #expect(try refresh(service, second).error == "invalid_grant")
        #expect(try service.measure(#"daleks_users_refreshes_total{outcome="reused"}"#) == 1)
        #expect(service.log.contains { $0.contains("came twice") })
    }

    @Test func `a laptop that slept in mid-refresh asks again within a day, by the same request id`() throws {
        let service = try TestService(time: clock.source)
        let first = try service.newcomer().refreshToken
        let second = try refresh(service, first, request: "the-request-of-before").token

        clock.advance(by: .seconds(86_399))
        #expect(try refresh(service, first, request: "the-request-of-before").token == second)
        let third = try refresh(service, second, request: "another-request-now").token
        #expect(third != nil)

        // The successor was used: the predecessor's owner must have had it.
        #expect(try refresh(service, first, request: "the-request-of-before").error == "invalid_grant")
        #expect(try refresh(service, third).error == "invalid_grant")
    }

    @Test(arguments: [("another-request-id-", 3_600), ("the-request-of-before", 86_401)])
    func `another request id, or the same a day later, ends the session`(request: String, seconds: Int) throws {
        let service = try TestService(time: clock.source)
        let first = try service.newcomer().refreshToken
        let second = try refresh(service, first, request: "the-request-of-before").token

        clock.advance(by: .seconds(seconds))

        #expect(try refresh(service, first, request: request).error == "invalid_grant")
        #expect(try refresh(service, second).error == "invalid_grant")
    }

    @Test func `any token of the past ends the session, even within the window`() throws {
        let service = try TestService(time: clock.source)
        let first = try service.newcomer().refreshToken
        let second = try refresh(service, first).token
        let third = try refresh(service, second).token

        #expect(try refresh(service, first).error == "invalid_grant")

        #expect(try refresh(service, third).error == "invalid_grant")
        #expect(try service.measure(#"daleks_users_refreshes_total{outcome="reused"}"#) == 1)
    }

    @Test func `an invented token of a session that exists ends nothing`() throws {
        let service = try TestService(time: clock.source)
        let token = try required(try service.newcomer().refreshToken)
        let session = try required(RefreshToken(token)).session
        let invented = RefreshToken.make(for: session, markKey: Random.bytes(count: 32)).text

        #expect(try refresh(service, invented).error == "invalid_grant")
        try service.users.revoke(invented)
        var changed = Array(token.utf8)
        for position in [5, 40, 80] {
            changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(try refresh(service, String(decoding: changed, as: UTF8.self)).error == "invalid_grant")
        }

        #expect(try refresh(service, token).token != nil)
    }

    @Test func `a session ends by itself when it is not used, and in any case after its lifetime`() throws {
        let service = try TestService(time: clock.source) { settings in
            settings.refreshRule.idle = .seconds(10 * 86_400)
            settings.refreshRule.lifetime = .seconds(25 * 86_400)
        }
        try service.register()
        let idle = try service.logIn().refreshToken
        var used = try service.logIn().refreshToken

        for _ in 0..<2 {
            clock.advance(by: .seconds(9 * 86_400))
            used = try refresh(service, used).token
            #expect(used != nil)
        }
        #expect(try refresh(service, idle).error == "invalid_grant")
        clock.advance(by: .seconds(7 * 86_400))
        #expect(try refresh(service, used).error == "invalid_grant")
    }

    @Test func `a restart keeps sessions, keys, and who is who`() throws {
        let folder = ScratchFolder()
        let before = try TestService(folder: folder)
        let session = try before.newcomer()
        let token = try required(session.refreshToken)
        let successor = try before.users.refresh(token, requestID: "0123456789abcdef", resource: nil).refreshToken
        let keys = try before.keySet()
        let issuer = before.url
        before.stop()

        let after = try TestService(folder: folder) { $0.issuer = issuer }

        #expect(try after.keySet() == keys)
        #expect(try after.me(session) == session.user)
        // The lost answer is still there, and then the successor is good.
        #expect(try after.users.refresh(token, requestID: "0123456789abcdef", resource: nil).refreshToken == successor)
        _ = try after.users.refresh(try required(successor), requestID: "fedcba9876543210", resource: nil)
        #expect(try after.logIn().user == session.user)
    }

    @Test func `what became of a token is decided by a table`() throws {
        let rule = RefreshRule()
        let now = Timestamp(seconds: 1_000_000_000)
        let session = SessionID.random(at: now)
        let tokens = (0..<3).map { _ in RefreshToken.make(for: session, markKey: [1]) }
        let request = tokens[2].digest
        func decide(
            _ shown: Int,
            elapsed: Duration,
            request: Digest? = nil,
            ended: Bool = false,
            created: Duration = .seconds(3_600)
        ) -> RefreshRule.Decision {
            var state = SessionState(
                id: session,
                account: .random(at: now),
                client: "daleks",
                device: "x",
                scope: .all,
                region: "here",
                created: now - created,
                used: now - elapsed,
                mark: [1],
                current: tokens[1].digest
            )
            state.predecessor = SessionState.Predecessor(
                digest: tokens[0].digest,
                rotated: now - elapsed,
                request: tokens[2].digest,
                sealedSuccessor: []
            )
            if ended { state.ended = now }
            return rule.decide(state, shown: tokens[shown].digest, request: request, at: now)
        }

        #expect(decide(1, elapsed: .zero) == .rotate)
        #expect(decide(1, elapsed: .seconds(59 * 86_400), created: .seconds(364 * 86_400)) == .rotate)
        #expect(decide(1, elapsed: .seconds(60 * 86_400)) == .expired)
        #expect(decide(1, elapsed: .zero, created: .seconds(365 * 86_400)) == .expired)
        #expect(decide(1, elapsed: .zero, ended: true) == .ended)
        #expect(decide(0, elapsed: .zero) == .repeated)
        #expect(decide(0, elapsed: .seconds(10)) == .repeated)
        #expect(decide(0, elapsed: .milliseconds(10_001)) == .reused)
        #expect(decide(0, elapsed: .milliseconds(10_001), request: request) == .repeated)
        #expect(decide(0, elapsed: .milliseconds(10_001), request: tokens[0].digest) == .reused)
        #expect(decide(0, elapsed: .seconds(86_401), request: request) == .reused)
        #expect(decide(0, elapsed: .zero, ended: true) == .ended)
        // A clock that was set back a little, and far.
        #expect(decide(0, elapsed: .seconds(-5)) == .repeated)
        #expect(decide(0, elapsed: .seconds(-3_600)) == .reused)
        #expect(decide(2, elapsed: .zero) == .reused)
    }
}
