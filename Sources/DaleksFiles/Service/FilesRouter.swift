import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem

/// Which request asks what of the region: docs/wire.md, line by line.
struct FilesRouter: Sendable {
    let region: String
    let store: TreeStore
    let content: ChunkAccess
    let mutations: Mutations
    let feed: ChangeFeed
    let leases: LeaseBoard
    let known: KnownAnswers
    let visitors: PublicAccess
    let tokens: TokenVerifier
    let metrics: Metrics
    let time: TimeSource
    var users: RequestLimiter<UserID>?
    var addresses: AddressLimit?

    var items: Items { Items(store: store, content: content, feed: feed, known: known) }

    var router: Router {
        var router = Router()
        addOperations(to: &router)
        router.group("", middleware: addresses.map { [$0] } ?? []) { router in
            addDocument(to: &router)
            addTree(to: &router)
            addContent(to: &router)
            addChanges(to: &router)
            addLeases(to: &router)
            addSharing(to: &router)
            addVersions(to: &router)
            addTrash(to: &router)
            addItems(to: &router)
            addLinks(to: &router)
            addUploads(to: &router)
            addForms(to: &router)
            addTransfers(to: &router)
        }
        return router
    }

    func callers(_ scope: Scope) -> Authenticator<Caller> {
        Authenticator(naming: { $0.user.description }) { [tokens, users] request throws(APIError) in
            let caller = try tokens.caller(of: request, needing: scope)
            try users?.take(caller.user)
            return caller
        }
    }

    private func addOperations(to router: inout Router) {
        router.addOperations(metrics: metrics) { [store] () throws(APIError) in try store.check() }
    }

    private func addTree(to router: inout Router) {
        let capabilities = Capabilities(region: region, features: Capabilities.Feature.allCases).jsonBytes
        router.on(.get, Routes.Files.capabilities, runs: .event) { _, _ in .json(bytes: capabilities) }
        let readers = callers(.read)
        router.onAuthenticated(.get, Routes.Files.tree, by: readers) { [store] _, asked throws(APIError) in
            .json(of: try store.tree(of: asked.principal.user).record)
        }
        router.onAuthenticated(.get, Routes.Files.usage, by: readers) { [store] _, asked throws(APIError) in
            .json(of: try store.usage(of: asked.principal.user))
        }
        router.onAuthenticated(.get, Routes.Files.nodePattern, by: readers) { [store] _, asked throws(APIError) in
            .json(of: try store.node(try asked.parameters.identifier("id"), for: asked.principal.user))
        }
        router.onAuthenticated(.get, Routes.Files.childrenPattern, by: readers) {
            [store] request, asked throws(APIError) in
            let most = Int64(Limits.Wire.childrenPageCountMax)
            let page = try store.children(
                of: try asked.parameters.identifier("id"),
                after: try Self.name(request.query, "after"),
                limit: Int(min(try request.query.integer("limit", in: 1...Int64.max) ?? most, most)),
                for: asked.principal.user
            )
            return .json(of: page)
        }
        router.onAuthenticated(
            .post,
            Routes.Files.mutations,
            by: callers(.write),
            body: .limited(to: Int64(Limits.Wire.batchBytesMax))
        ) { [mutations] request, asked throws(APIError) in
            .json(
                of: try mutations.run(try request.body.bytes(max: Limits.Wire.batchBytesMax), of: asked.principal.user)
            )
        }
    }

    private func addContent(to router: inout Router) {
        let (readers, writers) = (callers(.read), callers(.write))
        router.onAuthenticated(
            .post,
            Routes.Files.missingChunks,
            by: writers,
            body: .limited(to: Int64(Limits.Files.digestQueryBytesMax))
        ) { [store] request, asked throws(APIError) in
            let asking: DigestList = try Self.body(of: request, max: Limits.Files.digestQueryBytesMax)
            let place = try store.chunkPlace(for: asking.node, of: asked.principal.user)
            let missing = try store.missing(asking.digests, in: place)
            var writer = JSONWriter()
            writer.object { $0.member("missing", missing) }
            return .json(bytes: writer.bytes)
        }
        router.onAuthenticated(
            .put,
            Routes.Files.chunkPattern,
            by: writers,
            body: .limited(to: Int64(Limits.spanBytes))
        ) { [content] request, asked throws(APIError) in
            guard let digest = Digest(try asked.parameters.text("digest")) else {
                throw .malformed("the path does not end with a digest of 64 hexadecimal digits")
            }
            let bytes = try request.body.bytes(max: Limits.spanBytes)
            guard !bytes.isEmpty else { throw .invalid("a chunk has at least one byte") }
            return .empty(
                try content.put(
                    bytes,
                    as: digest,
                    for: try request.query.identifier("node"),
                    of: asked.principal.user
                ) ? .created : .ok
            )
        }
        router.onAuthenticated(
            .put,
            Routes.Files.chunks,
            by: writers,
            body: .limited(to: Int64(Limits.Wire.chunkBatchBytesMax))
        ) { [content] request, asked throws(APIError) in
            let body = try request.body.bytes(max: Limits.Wire.chunkBatchBytesMax)
            guard let batch = ChunkBatch(bytes: body) else { throw .malformed("this is no body of chunks") }
            var contents: [ChunkContent] = []
            for member in batch.members {
                guard let content = ChunkContent(member.content, claimedToBe: member.digest) else {
                    throw .invalid("chunk \(contents.count) of the body is not that of its digest")
                }
                contents.append(content)
            }
            let stored = try content.put(
                contents,
                for: try request.query.identifier("node"),
                of: asked.principal.user
            )
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("stored", Int64(stored.count))
                writer.member("known", Int64(Set(contents.map(\.digest)).count - stored.count))
            }
            return .json(bytes: writer.bytes)
        }
        router.onAuthenticated(
            .post,
            Routes.Files.content,
            by: readers,
            body: .limited(to: Int64(Limits.Files.digestQueryBytesMax))
        ) { [content] request, asked throws(APIError) in
            let asking: ContentReads = try Self.body(of: request, max: Limits.Files.digestQueryBytesMax)
            let answers = content.read(asking, for: asked.principal.user, requestID: request.requestID)
            return .bytes(answers.bytes, contentType: ContentAnswers.contentType)
        }
        router.onAuthenticated(.get, Routes.Files.manifestPattern, by: readers) {
            [content] request, asked throws(APIError) in
            let manifest = try content.manifest(
                of: try asked.parameters.identifier("id"),
                at: try asked.parameters.integer("revision"),
                inPieces: try request.query.only("pieces") == "1",
                for: asked.principal.user
            )
            return .json(of: manifest)
        }
        router.onAuthenticated(.get, Routes.Files.spanPattern, by: readers) { [content] _, asked throws(APIError) in
            let bytes = try content.read(
                Int(try asked.parameters.integer("index")),
                of: try asked.parameters.identifier("id"),
                at: try asked.parameters.integer("revision"),
                for: asked.principal.user
            )
            guard !bytes.isEmpty else { throw .notFound("this revision has no bytes in that span") }
            var response = HTTPResponse.bytes(bytes)
            response.acceptsRanges = true
            return response
        }
    }

    static func name(_ query: QueryItems, _ parameter: String) throws(APIError) -> Name? {
        guard let text = try query.only(parameter) else { return nil }
        guard let bytes = Base64.decode(text, .url), let name = try? Name(bytes) else {
            throw .malformed("the parameter \(parameter) is not a name in base64url")
        }
        return name
    }

    /// A JSON body as what it is to be.
    static func body<Body: JSONDecodable>(
        of request: HTTPRequest,
        max: Int = Limits.Files.requestBytesMax
    ) throws(APIError) -> Body {
        let bytes = try request.body.bytes(max: max)
        do throws(JSONError) {
            return try Body(json: try JSONValue.parse(bytes))
        } catch {
            throw .malformed("the body cannot be read: \(error)")
        }
    }

    /// How many elements of a list a page is to have.
    static func limit(_ query: QueryItems) throws(APIError) -> Int {
        let most = Int64(Limits.Wire.listPageCountMax)
        return Int(min(try query.integer("limit", in: 1...Int64.max) ?? most, most))
    }
}
