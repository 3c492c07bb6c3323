public import DaleksAPI
public import DaleksCore
import DaleksHTTP
public import DaleksHTTPClient
import DaleksJSON

/// A region's files service, as programs of ours ask it. Calls block.
public struct FilesClient: Sendable {
    let service: ServiceClient
    private let tokens: AccessTokens
    /// The region's address as tokens name it, where it is not the one that the account is at home in.
    private let resource: String?

    /// `isHome`: the region is the one that the log-in is for.
    public init(url: String, http: HTTPClient, tokens: AccessTokens, isHome: Bool = true) {
        service = ServiceClient(baseURL: url, http: http)
        self.tokens = tokens
        resource = isHome ? nil : url
    }

    public var url: String { service.baseURL }

    public func capabilities() throws(ClientFailure) -> Capabilities { try get(Routes.Files.capabilities) }
    public func tree() throws(ClientFailure) -> TreeRecord { try get(Routes.Files.tree) }
    public func usage() throws(ClientFailure) -> UsageRecord { try get(Routes.Files.usage) }
    public func node(_ id: NodeID) throws(ClientFailure) -> NodeRecord { try get(Routes.Files.node(id)) }

    public func children(of id: NodeID, after name: Name?, limit: Int) throws(ClientFailure) -> ChildrenPage {
        try get(Routes.Files.children(of: id, after: name, limit: limit))
    }

    public func manifest(of id: NodeID, at revision: Revision) throws(ClientFailure) -> Manifest {
        try get(Routes.Files.manifest(of: id, at: revision))
    }

    public func span(_ index: Int, of id: NodeID, at revision: Revision) throws(ClientFailure) -> [UInt8] {
        var request = ClientRequest(.get, service.baseURL + Routes.Files.span(index, of: id, at: revision))
        request.sink = .memory(max: Limits.spanBytes)
        request.deadline = Limits.Client.chunkDeadline
        request.load = .download
        request.retry = .idempotent(maxAttempts: 2)
        return try send(request).body
    }

    /// `device`: who asks, and is told in short of its own steps.
    public func changes(
        after cursor: String,
        by device: DeviceID? = nil,
        waitSeconds: Int
    ) throws(ClientFailure) -> ChangesPage {
        var request = ClientRequest(
            .get,
            service.baseURL + Routes.Files.changes(after: cursor, by: device, waitSeconds: waitSeconds)
        )
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        // The service answers empty when its time is over; what takes longer is a line that died.
        request.deadline = .seconds(waitSeconds) + Limits.Client.requestDeadline
        request.idleTimeout = request.deadline
        return try service.decode(try send(request))
    }

    public func mutate(_ batch: MutationBatch) throws(ClientFailure) -> BatchAnswer {
        var request = ClientRequest(.post, service.baseURL + Routes.Files.mutations)
        request.fields.set("Content-Type", "application/json")
        request.body = .bytes(batch.jsonBytes)
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = Limits.Client.chunkDeadline
        // The region runs each sequence once, so sending it twice is as good as once.
        request.isIdempotent = true
        return try service.decode(try send(request))
    }

    /// What happened in several trees. `began` is given what ends the wait.
    public func follow(
        _ places: FollowRequest,
        began: @escaping (@escaping @Sendable () -> Void) -> Void
    ) throws(ClientFailure) -> FollowAnswer {
        var request = ClientRequest(.post, service.baseURL + Routes.Files.changes)
        request.fields.set("Content-Type", "application/json")
        request.body = .bytes(places.jsonBytes)
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = .seconds(places.waitSeconds) + Limits.Client.requestDeadline
        request.idleTimeout = request.deadline
        // It changes nothing.
        request.isIdempotent = true
        return try service.decode(try send(request, began: began))
    }

    /// Which of the chunks the region lacks. `node`: where in somebody else's tree they are meant for.
    public func missing(_ digests: [Digest], for node: NodeID? = nil) throws(ClientFailure) -> [Digest] {
        var request = ClientRequest(.post, service.baseURL + Routes.Files.missingChunks)
        request.fields.set("Content-Type", "application/json")
        request.body = .bytes(DigestList(digests, node: node).jsonBytes)
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = Limits.Client.requestDeadline
        request.isIdempotent = true
        let answer: MissingAnswer = try service.decode(try send(request))
        return answer.missing
    }

    public func put(_ bytes: [UInt8], digest: Digest, for node: NodeID? = nil) throws(ClientFailure) {
        let path = node.map { Routes.Files.chunk(digest, for: $0) } ?? Routes.Files.chunk(digest)
        var request = ClientRequest(.put, service.baseURL + path)
        request.fields.set("Content-Type", "application/octet-stream")
        request.body = .bytes(bytes)
        request.deadline = Limits.Client.chunkDeadline
        request.load = .upload
        _ = try send(request)
    }

    /// Puts many chunks in one request (feature `chunk_batches`).
    public func put(_ chunks: [ChunkBatch.Member], for node: NodeID? = nil) throws(ClientFailure) {
        let place = node.map { "?node=\($0)" } ?? ""
        var request = ClientRequest(.put, service.baseURL + Routes.Files.chunks + place)
        request.fields.set("Content-Type", ChunkBatch.contentType)
        request.body = .bytes(ChunkBatch(chunks).bytes)
        request.load = .upload
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = Limits.Client.chunkDeadline
        // Chunks are named by what they hold: putting them twice is putting them once.
        request.isIdempotent = true
        _ = try send(request)
    }

    /// Stretches of many files (feature `batched_reads`).
    public func read(_ asking: ContentReads) throws(ClientFailure) -> [ContentAnswers.Answer] {
        var request = ClientRequest(.post, service.baseURL + Routes.Files.content)
        request.fields.set("Content-Type", "application/json")
        request.body = .bytes(asking.jsonBytes)
        request.sink = .memory(max: asking.bytesMax + Limits.Client.answerBytesMax)
        request.load = .download
        request.deadline = Limits.Client.chunkDeadline
        // It changes nothing.
        request.isIdempotent = true
        let body = try send(request).body
        guard let answers = ContentAnswers(bytes: body)?.answers, answers.count == asking.reads.count else {
            throw .malformed("the region's answer to reads cannot be understood")
        }
        return answers
    }

    func get<Body: JSONDecodable>(_ path: String) throws(ClientFailure) -> Body {
        var request = ClientRequest(.get, service.baseURL + path)
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = Limits.Client.requestDeadline
        return try service.decode(try send(request))
    }

    /// With a token; once more with another where that one was refused (the service's clock, a revoked key).
    func send(
        _ request: ClientRequest,
        began: ((@escaping @Sendable () -> Void) -> Void)? = nil
    ) throws(ClientFailure) -> ClientResponse {
        let token = try tokens.token(for: resource, insteadOf: nil)
        do throws(ClientFailure) {
            return try send(request, token, began)
        } catch {
            guard case .refused(401, _, _) = error else { throw error }
            return try send(request, try tokens.token(for: resource, insteadOf: token), began)
        }
    }

    private func send(
        _ request: ClientRequest,
        _ token: String,
        _ began: ((@escaping @Sendable () -> Void) -> Void)?
    ) throws(ClientFailure) -> ClientResponse {
        var request = request
        request.fields.set("Authorization", "Bearer \(token)")
        guard let began else { return try service.send(request) }
        return try service.send(request, began: began)
    }
}
