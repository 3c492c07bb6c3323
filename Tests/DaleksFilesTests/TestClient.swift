import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

/// A device that speaks to a region over a real socket.
final class TestClient: Sendable {
    let url: String
    let token: String
    let device: DeviceID
    let http: HTTPClient

    init(_ url: String, token: String, device: DeviceID = .random(at: .zero)) {
        self.url = url
        self.token = token
        self.device = device
        http = HTTPClient()
    }

    deinit { http.shutdown() }

    func send(
        _ method: HTTPMethod,
        _ path: String,
        _ body: [UInt8] = [],
        fields: [(String, String)] = []
    ) throws -> ClientResponse {
        var request = ClientRequest(
            method,
            url + path,
            body: body.isEmpty ? .empty : .bytes(body),
            sink: .memory(max: 64 << 20),
            deadline: .seconds(70),
            idleTimeout: .seconds(65)
        )
        if !token.isEmpty { request.fields.set("Authorization", "Bearer \(token)") }
        for (name, value) in fields { request.fields.set(name, value) }
        return try http.send(request)
    }

    func get<Answer: JSONDecodable>(_ path: String, as type: Answer.Type = Answer.self) throws -> Answer {
        try decode(try send(.get, path))
    }

    func post<Answer: JSONDecodable>(
        _ path: String,
        _ body: some JSONEncodable,
        as type: Answer.Type = Answer.self
    ) throws -> Answer {
        try decode(try send(.post, path, body.jsonBytes))
    }

    private func decode<Answer: JSONDecodable>(_ response: ClientResponse) throws -> Answer {
        guard response.status == .ok else {
            throw TestFailure("\(response.status): \(String(decoding: response.body, as: UTF8.self))")
        }
        return try Answer(json: try JSONValue.parse(response.body))
    }

    func code(_ response: ClientResponse) -> String? {
        guard let json = try? JSONValue.parse(response.body) else { return nil }
        return try? JSONReader(json).string("code")
    }

    func tree() throws -> TreeRecord { try get(Routes.Files.tree) }

    func run(_ mutations: [Mutation], from first: Int64, acknowledged: Int64 = 0) throws -> BatchAnswer {
        let operations = mutations.enumerated().map { Operation(sequence: first + Int64($0), mutation: $1) }
        return try post(
            Routes.Files.mutations,
            MutationBatch(device: device, acknowledged: acknowledged, operations: operations)
        )
    }

    /// True where it was not there before.
    func put(_ bytes: [UInt8]) throws -> Bool {
        let response = try send(.put, Routes.Files.chunk(SHA256.digest(of: bytes)), bytes)
        guard response.status.isSuccess else { throw TestFailure("a chunk was refused: \(response.status)") }
        return response.status == .created
    }

    func changes(after cursor: String, by device: DeviceID? = nil, wait: Int = 0) throws -> ChangesPage {
        try get(Routes.Files.changes(after: cursor, by: device, waitSeconds: wait))
    }
}

extension Mutation {
    static func creating(_ text: String, _ id: NodeID, in parent: NodeID, kind: NodeKind = .file) -> Mutation {
        .create(
            Creation(parent: parent, name: name(text), node: id, kind: kind, mode: 0o644, uid: 1, gid: 1, time: moment)
        )
    }

    static func committing(_ bytes: [UInt8], to node: NodeID, base: Base) -> Mutation {
        .commit(
            Commit(
                node: node,
                base: base,
                size: Int64(bytes.count),
                spans: bytes.isEmpty ? [] : [Span(index: 0, bytes: bytes.count, source: .inline(bytes))],
                modified: moment,
                time: moment
            )
        )
    }
}
