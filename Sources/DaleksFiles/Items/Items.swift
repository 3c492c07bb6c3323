import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// Files as whole things: written in one request, sent with everything that a browser needs to know and nothing that
/// it could run.
struct Items: Sendable {
    let store: TreeStore
    let content: ChunkAccess
    let feed: ChangeFeed
    let known: KnownAnswers

    func announce(_ owners: [UserID]) { for owner in owners { feed.announce(owner) } }

    // MARK: Writing

    /// Reads a body into a file. What is refused for sure is refused before a byte of it is read.
    func write(
        _ body: HTTPBody,
        to target: WriteTarget,
        by caller: UserID
    ) throws(APIError) -> (record: NodeRecord, isNew: Bool) {
        let place = try store.beginWriting(to: target, bytes: body.contentLength ?? 0, by: caller)
        var writer = ContentWriter(content, place)
        try body.forEach { piece throws(APIError) in try writer.append(piece) }
        let written = try writer.finish()
        let told = try store.putContent(written, at: target, by: caller)
        content.chunks.discard(written.unneeded)
        announce(told.owners)
        return told.value
    }

    /// Bytes that are in memory, such as a part of a form.
    func write(_ bytes: [UInt8], to target: WriteTarget, by caller: UserID) throws(APIError) -> NodeRecord {
        try write(HTTPBody(bytes), to: target, by: caller).record
    }

    // MARK: Reading

    struct Wish: Sendable {
        var isInline = false
        /// An earlier content; nil is the present one.
        var content: Revision?

        var isPlain: Bool { !isInline && content == nil }
    }

    /// The bytes of a file as an answer, for one who may read it.
    func response(_ id: NodeID, for caller: UserID, _ wish: Wish = Wish()) throws(APIError) -> HTTPResponse {
        switch try find(.node(id), for: caller, wish) {
        case .answer(let answer): return answer
        case .folder: throw .invalid("only a file has content")
        }
    }

    enum Found {
        case answer(HTTPResponse)
        case folder(NodeID)
    }

    /// The same wherever it is. Small files as they are now are remembered.
    func find(_ address: TreeStore.Address, for caller: UserID, _ wish: Wish = Wish()) throws(APIError) -> Found {
        let moment = known.moment
        switch try store.open(address, at: wish.content, for: caller) {
        case .folder(let id): return .folder(id)
        case .file(let file):
            let answer = try response(file, for: caller, wish)
            if let moment, wish.isPlain, file.small != nil, file.standing.isReachable {
                let known = KnownAnswers.Known(
                    answer: answer,
                    bytes: Int(file.facts.size),
                    tree: file.tree,
                    moment: moment,
                    expires: file.standing.expires
                )
                self.known.remember(known, KnownAnswers.Key(caller: caller, address))
            }
            return .answer(answer)
        }
    }

    private func response(
        _ file: TreeStore.OpenedFile,
        for caller: UserID,
        _ wish: Wish
    ) throws(APIError) -> HTTPResponse {
        let facts = file.facts
        let kind = MediaKind(of: facts.name)
        let small = smallBytes(of: file)
        var response: HTTPResponse
        var isInline = false
        if let small {
            isInline = wish.isInline && kind.maySee(Array(small.prefix(512)))
            response = .bytes(small, contentType: kind.type)
            response.acceptsRanges = true
        } else {
            let bytes = ItemContent(content, file, reader: caller)
            if wish.isInline { isInline = kind.maySee(try bytes.read(0, 512)) }
            response = .source(bytes.source, contentType: kind.type)
        }
        if facts.content != 0 || wish.content == nil { response.fields.set("ETag", "\"\(facts.content)\"") }
        response.fields.set("Last-Modified", HTTPDate.text(facts.modified))
        if let digest = facts.digest {
            response.fields.set("Repr-Digest", "sha-256=:\(Base64.encode(digest.bytes, .standard)):")
        }
        response.fields.set("Cache-Control", "private, no-cache")
        // Said already, so that an answer that is remembered need not be changed.
        if response.acceptsRanges { response.fields.set("Accept-Ranges", "bytes") }
        Self.guardAgainstScripts(&response, name: facts.name, isInline: isInline)
        return response
    }

    /// Nil where they are many, and where they cannot be read: who reads them span by span looks again where they are,
    /// and tells what is wrong.
    private func smallBytes(of file: TreeStore.OpenedFile) -> [UInt8]? {
        let size = Int(file.facts.size)
        guard let span = file.small, let bytes = try? content.read(span, 0..<size), bytes.count <= size else {
            return nil
        }
        return bytes + [UInt8](repeating: 0, count: size - bytes.count)
    }

    private static let scriptless =
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

    /// Nothing that a user stored runs in anybody's browser as part of our pages.
    static func guardAgainstScripts(_ response: inout HTTPResponse, name: Name, isInline: Bool) {
        let way = isInline ? "inline" : "attachment"
        let shown = name.text ?? name.description
        let plain = String(
            decoding: shown.utf8.map { (32..<127).contains($0) && $0 != 34 && $0 != 92 ? $0 : UInt8(ascii: "_") },
            as: UTF8.self
        )
        let full = PercentEncoding.encode(shown)
        response.fields.set("Content-Disposition", "\(way); filename=\"\(plain)\"; filename*=UTF-8''\(full)")
        response.fields.set("Content-Security-Policy", scriptless)
        response.fields.set("Cross-Origin-Resource-Policy", "same-origin")
        response.fields.set("Referrer-Policy", "no-referrer")
    }
}
