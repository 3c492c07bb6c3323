import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem

/// A users service as far as a region sees it: an issuer with a key set behind a real socket, which may go away.
final class TestUsers: Sendable {
    private struct State {
        var keys: [SigningKey] = []
        var fetchCount = 0
        var server: HTTPServer?
    }

    let port: UInt16
    private let state: Lock<State>

    var url: String { "http://127.0.0.1:\(port)" }
    var fetchCount: Int { state.withLock { $0.fetchCount } }

    init() throws {
        let first = try SigningKey.generate(.es256)
        let state = Lock(State(keys: [first]))
        self.state = state
        let server = try Self.server(at: 0, state)
        port = server.port
        state.withLock { $0.server = server }
    }

    deinit { goAway() }

    private static func server(at port: UInt16, _ state: Lock<State>) throws -> HTTPServer {
        var router = Router()
        router.on(.get, Routes.Users.keys) { _, _ in
            let keys = state.withLock { state in
                state.fetchCount += 1
                return state.keys.map(\.publicKey.jwk)
            }
            guard let set = try? JWKSet(keys) else { return .empty(.internalServerError) }
            return .json(bytes: set.jsonBytes)
        }
        let server = try HTTPServer(HTTPServerConfiguration(port: port), router: router, logger: .silent)
        try server.start()
        return server
    }

    func goAway() {
        let server = state.withLock { state in
            defer { state.server = nil }
            return state.server
        }
        server?.stop()
    }

    func comeBack() throws {
        let server = try Self.server(at: port, state)
        state.withLock { $0.server = server }
    }

    /// The new key signs from now on; the old one stays in the set unless it is withdrawn.
    func rotate(withdrawingOld: Bool = false) throws {
        let key = try SigningKey.generate(.es256)
        state.withLock { $0.keys = withdrawingOld ? [key] : [key] + $0.keys }
    }

    func token(
        for user: UserID,
        audience: String,
        issuer: String? = nil,
        scope: String = "files:read files:write files:share",
        type: String = "at+jwt",
        session: SessionID? = .random(at: .zero),
        expiresIn: Duration = .seconds(600),
        now: Timestamp = TimeSource.system.wall,
        subject: String? = nil,
        key: SigningKey? = nil
    ) throws -> String {
        let issued = expiresIn > .zero ? now : now - .seconds(3_600)
        var claims: JSONObject = [
            "iss": .string(issuer ?? url),
            "aud": .string(audience),
            "sub": .string(subject ?? user.description),
            "scope": .string(scope),
            "client_id": "daleks",
            "iat": .integer(issued.seconds),
            "exp": .integer((now + expiresIn).seconds),
            "jti": .string("\(Random.word())"),
        ]
        if let session { claims["sid"] = .string(session.description) }
        let signing = key ?? state.withLock { $0.keys[0] }
        return JWT.sign(claims: claims, type: type, key: signing, kid: signing.publicKey.jwk.keyID)
    }
}
