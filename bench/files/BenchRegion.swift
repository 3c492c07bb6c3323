import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem
import Glibc

/// A running `daleks-files` and the issuer whose tokens it takes.
final class BenchRegion: Sendable {
    private let key: SigningKey
    private let issuer: HTTPServer
    let issuerURL: String
    let stateFolder: String
    private let process: Subprocess
    let url: String
    let http: HTTPClient
    var processID: Int32 { process.processID }

    init(folder: String, program: String) throws {
        let key = try SigningKey.generate(.es256)
        let keys = try JWKSet([key.publicKey.jwk]).jsonBytes
        var router = Router()
        router.on(.get, Routes.Users.keys, runs: .event) { _, _ in .json(bytes: keys) }
        issuer = try HTTPServer(HTTPServerConfiguration(), router: router, logger: .silent)
        try issuer.start()
        issuerURL = "http://127.0.0.1:\(issuer.port)"
        self.key = key
        stateFolder = "\(folder)/state"

        // Its log goes to a file, as nginx's does: nobody's time goes into reading it.
        let log = "\(folder)/log"
        let command = Command(
            "/bin/sh",
            [
                "-c", "exec \"$@\" 2>'\(log)'", "sh", program, "--state", stateFolder, "--users-url", issuerURL,
                "--port", "0",
            ],
            // Another database or storage to measure is named as for the service itself.
            environment: Environment.current.filter { $0.key.hasPrefix("DALEKS_") },
            deathSignal: SIGKILL
        )
        process = try Subprocess.start(command)
        guard let ready = Self.line(of: log, with: "\"ready\"") else {
            throw BenchFailure("daleks-files did not start: see \(log)")
        }
        url = try JSONReader(try JSONValue.parse(ready)).string("url")
        var configuration = HTTPClientConfiguration()
        configuration.connectionsPerHostMax = 64
        http = HTTPClient(configuration: configuration)
    }

    private static func line(of log: String, with mark: String) -> String? {
        for _ in 0..<1_000 {
            let bytes = (try? Files.readAll(log, max: 1 << 20)) ?? []
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            if let line = lines.first(where: { $0.contains(mark) }) { return String(line) }
            usleep(20_000)
        }
        return nil
    }

    func stop() {
        process.terminate(grace: .seconds(10))
        http.shutdown()
        issuer.stop()
    }

    /// A device of a user of its own.
    func device() throws -> BenchDevice {
        let user = UserID.random(at: TimeSource.system.wall)
        return try BenchDevice(self, user: user, token: token(of: user))
    }

    func token(of user: UserID) -> String {
        let now = TimeSource.system.wall
        let claims: JSONObject = [
            "iss": .string(issuerURL),
            "aud": .string(url),
            "sub": .string(user.description),
            "sid": .string(SessionID.random(at: now).description),
            "scope": "files:read files:write files:share",
            "iat": .integer(now.seconds),
            "exp": .integer(now.seconds + 3_600),
            // Each token is another one.
            "jti": .string(Hex.encode(Random.bytes(count: 8))),
        ]
        return JWT.sign(claims: claims, type: "at+jwt", key: key, kid: key.publicKey.jwk.keyID)
    }
}

/// One device; it sends one batch at a time.
final class BenchDevice: Sendable {
    private let region: BenchRegion
    let user: UserID
    let token: String
    private let id = DeviceID.random(at: TimeSource.system.wall)
    private let sequence = Lock<Int64>(0)
    let root: NodeID

    init(_ region: BenchRegion, user: UserID, token: String) throws {
        self.region = region
        self.user = user
        self.token = token
        let answer = try Self.send(region, token, .get, Routes.Files.tree)
        root = try TreeRecord(json: try JSONValue.parse(answer.body)).root
    }

    @discardableResult
    private static func send(
        _ region: BenchRegion,
        _ token: String,
        _ method: HTTPMethod,
        _ path: String,
        _ body: [UInt8] = []
    ) throws -> ClientResponse {
        var request = ClientRequest(method, region.url + path, body: body.isEmpty ? .empty : .bytes(body))
        request.fields.set("Authorization", "Bearer \(token)")
        let response = try region.http.send(request)
        guard response.status.isSuccess else {
            throw BenchFailure("\(response.status) \(String(decoding: response.body, as: UTF8.self))")
        }
        return response
    }

    func put(_ chunk: [UInt8]) throws {
        try Self.send(region, token, .put, Routes.Files.chunk(SHA256.digest(of: chunk)), chunk)
    }

    func grant(_ grant: GrantRequest, to user: UserID, on node: NodeID) throws {
        try Self.send(region, token, .put, Routes.Files.grant(to: user, on: node), grant.jsonBytes)
    }

    func run(_ mutations: [Mutation]) throws {
        let first = sequence.withLock { $0 + 1 }
        let operations = mutations.enumerated().map { Operation(sequence: first + Int64($0), mutation: $1) }
        let batch = MutationBatch(device: id, acknowledged: first - 1, operations: operations)
        try Self.send(region, token, .post, Routes.Files.mutations, batch.jsonBytes)
        sequence.withLock { $0 += Int64(mutations.count) }
    }

    func creation(_ text: String, _ kind: NodeKind = .file, in parent: NodeID? = nil) -> (Mutation, NodeID) {
        let node = NodeID.random(at: TimeSource.system.wall)
        guard let name = try? Name(text) else { preconditionFailure("a bad name") }
        let creation = Mutation.Creation(
            parent: parent ?? root,
            name: name,
            node: node,
            kind: kind,
            mode: kind == .folder ? 0o755 : 0o644,
            uid: 1_000,
            gid: 1_000,
            time: TimeSource.system.wall
        )
        return (.create(creation), node)
    }

    /// In a batch in which so many operations come before the one that made the file.
    func commit(_ bytes: [UInt8], to node: NodeID, after count: Int = 0) -> Mutation {
        let now = TimeSource.system.wall
        return .commit(
            Mutation.Commit(
                node: node,
                base: .operation(sequence.withLock { $0 + 1 + Int64(count) }),
                size: Int64(bytes.count),
                spans: [Span(index: 0, bytes: bytes.count, source: .inline(bytes))],
                modified: now,
                time: now
            )
        )
    }
}
