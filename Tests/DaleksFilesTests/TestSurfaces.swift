import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem
import DaleksTestSupport

@testable import DaleksFiles

/// A region's routes without a socket: requests go straight to the router, tokens are checked as always.
final class TestSurfaces: Sendable {
    let region: TestRegion
    let users: TestUsers
    let visitors: PublicAccess
    private let client = HTTPClient()
    private let router: Router
    private let tokens: TokenVerifier
    private let issued = Lock([UserID: String]())
    private let audience = "http://region.test"

    init(_ region: TestRegion) throws {
        self.region = region
        users = try TestUsers()
        let keys = KeySource(
            usersURL: users.url,
            client: client,
            store: region.store,
            logger: .silent,
            measures: region.measures
        )
        tokens = TokenVerifier(keys: keys, issuer: users.url, logger: .silent)
        tokens.setAudience(audience)
        visitors = PublicAccess(store: region.store)
        visitors.setBase("")
        router =
            FilesRouter(
                region: "test",
                store: region.store,
                content: region.content,
                mutations: region.mutations,
                feed: region.feed,
                leases: region.leases,
                known: KnownAnswers(region.store.stamps, time: region.clock.source),
                visitors: visitors,
                tokens: tokens,
                metrics: Metrics(),
                time: region.clock.source
            ).router
    }

    deinit { client.shutdown() }

    var routes: [String] { router.routes.map { "\($0.method) \($0.pattern)" } }

    struct Answer {
        let status: Int
        let fields: HTTPFields
        let body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }

        func json<Value: JSONDecodable>(_ type: Value.Type = Value.self) throws -> Value {
            try Value(json: try JSONValue.parse(body))
        }

        func member(_ key: String) -> String? {
            guard let json = try? JSONValue.parse(body) else { return nil }
            return try? JSONReader(json).string(key)
        }
    }

    /// Nil asks without a token.
    func send(
        _ method: HTTPMethod,
        _ target: String,
        as user: UserID?,
        _ body: [UInt8] = [],
        fields: [(String, String)] = []
    ) throws -> Answer {
        var all = HTTPFields()
        if let user { all.set("Authorization", "Bearer \(try token(of: user))") }
        for (name, value) in fields { all.set(name, value) }
        let request = try HTTPRequest(method, target, fields: all, body: body)
        let response = router.respond(to: request).settled(within: .seconds(5)) ?? HTTPResponse(.gatewayTimeout)
        return Answer(
            status: response.status.code,
            fields: response.fields,
            body: try response.collectedBody(max: 64 << 20)
        )
    }

    private func token(of user: UserID) throws -> String {
        if let known = issued.withLock({ $0[user] }) { return known }
        let token = try users.token(for: user, audience: audience)
        issued.withLock { $0[user] = token }
        return token
    }
}
