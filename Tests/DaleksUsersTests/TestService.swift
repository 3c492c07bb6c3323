import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksService
import DaleksSystem
import DaleksTestSupport

@testable import DaleksUsers

/// The service on a real socket over a real folder, and a client of it.
final class TestService: Sendable {
    static let password = "a horse that knows batteries"
    static let here = RegionRecord(code: "here", name: "Here", filesURL: "http://files.here.example", status: "open")
    static let there = RegionRecord(
        code: "there",
        name: "There",
        filesURL: "https://files.there.example",
        status: "open"
    )

    let folder: ScratchFolder
    let service: UsersService
    let http: HTTPClient
    let users: UsersClient
    let time: TimeSource
    private let lines: Lock<[String]>

    /// Cheap hashing unless `change` says otherwise: most tests are about something else.
    init(
        folder: ScratchFolder = ScratchFolder(),
        time: TimeSource = .system,
        certificateAuthority: String? = nil,
        _ change: (inout UsersSettings) -> Void = { _ in }
    ) throws {
        let lines = Lock<[String]>([])
        let logger = Logger(level: .debug, style: .json) { line in lines.withLock { $0.append(line) } }
        var settings = UsersSettings(stateFolder: folder.path("state"))
        settings.regions = [Self.here, Self.there]
        settings.registration = .open
        settings.registrationsPerHourMax = 1_000_000
        // All tests come from one address.
        settings.siteAttemptRule = AttemptRule(freeCount: 1_000_000)
        settings.passwordParameters = try required(Argon2id.Parameters(memory: 64, passes: 1, lanes: 1))
        settings.mailInterval = .milliseconds(20)
        change(&settings)
        self.folder = folder
        self.time = time
        self.lines = lines
        service = try UsersService.start(settings, time: time, logger: logger)
        var configuration = HTTPClientConfiguration()
        configuration.connectionsPerHostMax = 64
        configuration.caFile = certificateAuthority
        http = HTTPClient(configuration: configuration)
        let scheme = settings.serving.tlsCertificate == nil ? "http" : "https"
        users = UsersClient(url: "\(scheme)://127.0.0.1:\(service.port)", http: http)
    }

    deinit { stop() }

    /// May be called twice.
    func stop() {
        http.shutdown()
        service.stop()
    }

    var log: [String] { lines.withLock { $0 } }
    var url: String { users.url }

    // MARK: People

    @discardableResult
    func register(_ email: String = "ann@example.com") throws -> UserRecord {
        try users.register(RegistrationRequest(email: email, password: Self.password, name: "Ann"))
    }

    func logIn(
        _ email: String = "ann@example.com",
        password: String = TestService.password,
        region: String? = nil
    ) throws -> SessionAnswer {
        try users.logIn(LoginRequest(email: email, password: password, region: region, device: "a laptop"))
    }

    func newcomer(_ email: String = "ann@example.com") throws -> SessionAnswer {
        try register(email)
        return try logIn(email)
    }

    /// Whose a log-in is, asked as our programs do: with a token of it that is for this service.
    func me(_ session: SessionAnswer) throws -> UserRecord {
        try users.me(accessToken: Person.ownToken(session, at: self))
    }

    // MARK: Raw requests

    func send(
        _ method: HTTPMethod,
        _ path: String,
        _ body: String? = nil,
        type: String = "application/json",
        fields: [(String, String)] = []
    ) throws -> ClientResponse {
        var request = ClientRequest(method, url + path, body: body.map { .bytes(Array($0.utf8)) } ?? .empty)
        if body != nil { request.fields.set("Content-Type", type) }
        for (name, value) in fields { request.fields.set(name, value) }
        return try http.send(request)
    }

    func form(_ path: String, _ items: [(String, String)]) throws -> ClientResponse {
        let body = items.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return try send(.post, path, body, type: "application/x-www-form-urlencoded")
    }

    /// A number of `/metrics`.
    func measure(_ series: String) throws -> Int {
        let text = String(decoding: try send(.get, "/metrics").body, as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { Int($0.dropFirst(series.utf8.count + 1)) } ?? -1
    }

    func keySet() throws -> JWKSet {
        try JWKSet(json: try JSONValue.parse(try send(.get, Routes.Users.keys).body))
    }

    /// Checks a token as a region would.
    func verify(
        _ token: String,
        keys: JWKSet? = nil,
        audience: String = TestService.here.filesURL,
        at now: Timestamp? = nil
    ) throws -> JWT.Claims {
        let keys = try keys ?? keySet()
        return try JWT.verify(
            token,
            keys: { id, _ in keys[id].flatMap { try? VerificationKey(jwk: $0) } },
            type: "at+jwt",
            allowed: [.es256],
            now: now ?? TimeSource.system.wall,
            leeway: .seconds(1),
            audience: audience,
            issuer: service.issuer
        )
    }
}

extension TestService {
    /// Checks an ID token as a program would.
    func identity(
        _ token: String,
        client: String,
        _ algorithm: SignatureAlgorithm = .es256
    ) throws -> JWT.Claims {
        let keys = try keySet()
        return try JWT.verify(
            token,
            keys: { id, _ in keys[id].flatMap { try? VerificationKey(jwk: $0) } },
            type: "JWT",
            allowed: [algorithm],
            now: TimeSource.system.wall,
            leeway: .seconds(1),
            audience: client,
            issuer: service.issuer
        )
    }
}

extension ClientResponse {
    /// The stable code of a problem, or OAuth's.
    var code: String? {
        guard let json = try? JSONValue.parse(body) else { return nil }
        let reader = JSONReader(json)
        return (try? reader.optionalString("code")) ?? (try? reader.optionalString("error"))
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Runs the body so many times at once and gives what came out.
func atOnce<Value: Sendable>(
    _ count: Int,
    _ body: @escaping @Sendable (Int) throws -> Value
) -> [Result<Value, any Error>] {
    let results = Lock<[Result<Value, any Error>]>([])
    let start = Gate()
    let threads = (0..<count).map { index in
        Thread(name: "at-once-\(index)", stackBytes: 256 << 10) {
            start.wait()
            let result = Result { try body(index) }
            results.withLock { $0.append(result) }
        }
    }
    start.open()
    for thread in threads { thread.join() }
    return results.withLock { $0 }
}

/// Where `#require` cannot be used.
func required<Value>(_ value: Value?, _ what: String = "value") throws -> Value {
    guard let value else { throw TestFailure("there is no \(what)") }
    return value
}
