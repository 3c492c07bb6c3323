import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// Uploads that survive a broken connection: what came is kept, the rest comes later (tus 1.0).
///
/// Nobody holds an upload: two requests may write to it at once, and the one that is first at a place wins, since what
/// came is entered only where the upload still is where the request began.
struct Uploads: Sendable {
    let items: Items

    private var store: TreeStore { items.store }

    /// What a client wants to upload.
    struct Plan: Sendable {
        var length: Int64?
        var isPartial = false
        var final: String?
        var metadata: String?
        var target: WriteTarget?
    }

    func create(_ plan: Plan, by caller: UserID) throws(APIError) -> StoredUpload {
        let now = store.time.wall
        let place =
            if let target = plan.target {
                try store.beginWriting(to: target, bytes: plan.length ?? 0, by: caller)
            } else {
                try store.chunkPlace(for: nil, of: caller)
            }
        var (node, name): (NodeID?, Name?) = (nil, nil)
        switch plan.target?.place {
        case .node(let id): node = id
        case .name(let parent, let wanted): (node, name) = (parent, wanted)
        case nil: break
        }
        let upload = StoredUpload(
            id: .random(at: now),
            holder: caller,
            tree: place.tree,
            target: node,
            name: name,
            base: plan.target?.base,
            length: plan.length,
            received: 0,
            isPartial: plan.isPartial,
            final: plan.final,
            metadata: plan.metadata,
            expires: now + Limits.Files.uploadKept
        )
        try store.write { db in
            guard try UploadTable.count(of: caller, db) < Limits.Files.openUploadsMax else {
                throw APIError.rateLimited("too many uploads are open: end or cancel some", retryAfterSeconds: 60)
            }
            try UploadTable.insert(upload, db)
        }
        return upload
    }

    func find(_ id: UploadID, of caller: UserID) throws(APIError) -> StoredUpload {
        let now = store.time.wall
        return try store.read { db in
            guard let upload = try UploadTable.load(id, db), upload.holder == caller else {
                throw APIError.notFound("there is no such upload")
            }
            guard upload.expires > now else { throw APIError.gone("the upload has expired") }
            return upload
        }
    }

    func cancel(_ id: UploadID, of caller: UserID) throws(APIError) {
        let upload = try find(id, of: caller)
        let now = store.time.wall
        try store.write { db in
            guard let known = try UploadTable.load(upload.id, db) else { return }
            try UploadTable.release(known, becoming: nil, at: now, db)
        }
    }

    /// Takes a body in at where the upload is. With a checksum all of it counts or nothing; without, what came before a
    /// connection broke stays.
    func append(_ body: HTTPBody, to upload: StoredUpload, checksum: Checksum?) throws(APIError) -> StoredUpload {
        var upload = upload
        guard !upload.isComplete || body.isEmpty, upload.final == nil else {
            throw .forbidden("the upload is complete")
        }
        if let length = upload.length, let coming = body.contentLength, upload.received + coming > length {
            throw .tooLarge("the body goes past the upload's length")
        }
        var work = UploadWork(
            items,
            upload,
            isOwner: try store.tree(of: upload.holder).number == upload.tree,
            tail: try store.read { db in try UploadTable.tail(of: upload.id, db) },
            checksum: checksum
        )
        var (failure, isStored): (APIError?, Bool) = (nil, true)
        do throws(APIError) {
            try body.forEach { piece throws(APIError) in
                do throws(APIError) {
                    try work.append(piece)
                } catch {
                    isStored = false
                    throw error
                }
            }
        } catch {
            failure = error
        }
        // What could not be stored must not count as come: then the upload stays where the last of it was entered.
        if let failure, checksum != nil || !isStored { throw failure }
        if failure == nil { try work.verify() }
        upload = try work.finish(completing: failure == nil)
        if let failure { throw failure }
        return upload
    }

    /// Joins parts into what the final upload is to be.
    func join(_ parts: [UploadID], as plan: Plan, by caller: UserID) throws(APIError) -> StoredUpload {
        var plan = plan
        var length: Int64 = 0
        var uploads: [StoredUpload] = []
        for id in parts {
            let part = try find(id, of: caller)
            guard part.isPartial, part.isComplete else { throw .invalid("a part is not complete, or is none") }
            uploads.append(part)
            length += part.received
        }
        plan.length = length
        let upload = try create(plan, by: caller)
        guard let target = plan.target else { throw .malformed("the metadata must name a file") }
        let place = try store.beginWriting(to: target, bytes: length, by: caller)
        var writer = ContentWriter(items.content, place)
        for part in uploads {
            let (spans, tail) = try store.read { db in
                (try UploadTable.spans(of: part.id, db), try UploadTable.tail(of: part.id, db))
            }
            for digest in spans { try writer.append(bytes: try items.content.chunk(digest, in: part.tree)) }
            try writer.append(bytes: tail)
        }
        return try complete(upload, with: try writer.finish(), at: target)
    }

    /// The upload becomes the file, and is nothing but that from this transaction on.
    func complete(
        _ upload: StoredUpload,
        with written: WrittenContent,
        at target: WriteTarget
    ) throws(APIError) -> StoredUpload {
        let now = store.time.wall
        let told = try store.putContent(written, at: target, by: upload.holder) { node, db in
            guard let known = try UploadTable.load(upload.id, db), known.node == nil else {
                throw APIError.conflict("the upload was ended by another request")
            }
            var ended = known
            ended.length = written.size
            try UploadTable.release(ended, becoming: node, at: now, db)
        }
        items.content.chunks.discard(written.unneeded)
        items.announce(told.owners)
        var ended = upload
        ended.node = told.value.record.id
        ended.received = written.size
        ended.length = written.size
        return ended
    }
}

extension StoredUpload {
    /// Nil for a part.
    var writeTarget: WriteTarget? {
        guard let target else { return nil }
        return WriteTarget(name.map { .name(parent: target, name: $0) } ?? .node(target), base: base)
    }
}

/// What a client says of a body's bytes.
enum Checksum: Hashable, Sendable {
    case sha1([UInt8])
    case sha256([UInt8])

    /// `sha1 BASE64`. Nil where the algorithm is not ours or the text is none.
    init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 2, let bytes = Base64.decode(String(parts[1]), .standard) else { return nil }
        switch parts[0] {
        case "sha1" where bytes.count == 20: self = .sha1(bytes)
        case "sha256" where bytes.count == 32: self = .sha256(bytes)
        default: return nil
        }
    }
}

/// One request's work on an upload.
struct UploadWork: ~Copyable {
    private let items: Items
    private var upload: StoredUpload
    private let place: TreeStore.ChunkPlace
    private let checksum: Checksum?
    private var buffer: [UInt8]
    private var waiting: [ChunkContent] = []
    /// Stored, and not entered yet.
    private var stored: [Digest] = []
    private var taken: Int64 = 0
    private var sha1: SHA1? = SHA1()
    private var sha256: SHA256? = SHA256()

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of such values.
    deinit {}

    init(_ items: Items, _ upload: StoredUpload, isOwner: Bool, tail: [UInt8], checksum: Checksum?) {
        self.items = items
        self.upload = upload
        self.checksum = checksum
        buffer = tail
        place = TreeStore.ChunkPlace(tree: upload.tree, caller: upload.holder, isOwner: isOwner)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        if let length = upload.length, upload.received + taken + Int64(bytes.count) > length {
            throw .tooLarge("the body goes past the upload's length")
        }
        switch checksum {
        case .sha1: sha1?.update(bytes)
        case .sha256: sha256?.update(bytes)
        case nil: break
        }
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, Limits.spanBytes - buffer.count)
            buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if buffer.count == Limits.spanBytes {
                waiting.append(ChunkContent(buffer))
                buffer.removeAll(keepingCapacity: true)
                if waiting.count == Limits.Files.uploadedSpansStoredTogether { try store() }
            }
        }
        taken += Int64(bytes.count)
        // Without a checksum what came is good as it is: a later crash does not take it away again.
        if checksum == nil, stored.count >= Limits.Files.uploadedSpansTogether { try enter() }
    }

    private mutating func store() throws(APIError) {
        guard !waiting.isEmpty else { return }
        let contents = waiting
        waiting = []
        try items.content.putLacking(contents, in: place)
        stored += contents.map(\.digest)
    }

    private mutating func enter() throws(APIError) {
        let store = items.store
        let now = store.time.wall
        let (upload, digests, tail, received) = (self.upload, stored, buffer, self.upload.received + taken)
        let isFirst = try store.write { db in
            try UploadTable.advance(
                upload,
                to: received,
                adding: digests,
                tail: tail,
                until: now + Limits.Files.uploadKept,
                at: now,
                db
            )
        }
        guard isFirst else { throw APIError(.conflict, "another request has gone on with this upload") }
        self.upload.received = received
        self.upload.expires = now + Limits.Files.uploadKept
        stored = []
        taken = 0
    }

    /// Throws where the bytes are not those that the client meant.
    mutating func verify() throws(APIError) {
        let isRight: Bool
        switch checksum {
        case .sha1(let expected): isRight = sha1.take()?.finalize() == expected
        case .sha256(let expected): isRight = sha256.take()?.finalize().bytes == expected
        case nil: isRight = true
        }
        guard isRight else { throw APIError(.conflict, "the checksum does not match", status: HTTPStatus(460)) }
    }

    /// Enters what came; where that is all, the file is made in the same transaction that ends the upload.
    mutating func finish(completing: Bool) throws(APIError) -> StoredUpload {
        try store()
        let isWhole = completing && upload.length == upload.received + taken
        guard isWhole, let target = upload.writeTarget else {
            try enter()
            return upload
        }
        let tail = buffer.isEmpty ? [] : [ChunkContent(buffer)]
        if !tail.isEmpty { try items.content.putLacking(tail, in: place) }
        let id = upload.id
        let known = try items.store.read { db in try UploadTable.spans(of: id, db) }
        let whole = Int64(known.count + stored.count) * Int64(Limits.spanBytes)
        guard whole + Int64(buffer.count) == upload.length else {
            throw APIError(.conflict, "another request has gone on with this upload")
        }
        var spans: [Span] = []
        for digest in known + stored {
            spans.append(Span(index: spans.count, bytes: Limits.spanBytes, source: .chunk(digest)))
        }
        for content in tail {
            spans.append(Span(index: spans.count, bytes: content.bytes.count, source: .chunk(content.digest)))
        }
        let written = WrittenContent(size: upload.length ?? 0, spans: spans, digest: nil)
        return try Uploads(items: items).complete(upload, with: written, at: target)
    }
}
