import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// What can be read without an account: public items, links, signed URLs. And who makes them.
extension FilesRouter {
    func addLinks(to router: inout Router) {
        addLinkKeeping(to: &router)
        addPublicItems(to: &router)
        addLinkVisits(to: &router)
    }

    private func addLinkKeeping(to router: inout Router) {
        let (readers, sharers) = (callers(.read), callers(.share))
        router.onAuthenticated(.post, Routes.Files.nodeLinksPattern, by: sharers) {
            [visitors] request, asked throws(APIError) in
            let link = try visitors.makeLink(
                try Self.body(of: request),
                to: try asked.parameters.identifier("id"),
                by: asked.principal.user
            )
            return .json(of: link, status: .created).with("Cache-Control", "no-store")
        }
        router.onAuthenticated(.get, Routes.Files.nodeLinksPattern, by: readers) {
            [visitors] _, asked throws(APIError) in
            let links = try visitors.links(on: try asked.parameters.identifier("id"), for: asked.principal.user)
            return .json(of: LinkList(links))
        }
        router.onAuthenticated(.get, Routes.Files.links, by: readers) { [visitors] _, asked throws(APIError) in
            .json(of: LinkList(try visitors.links(of: asked.principal.user)))
        }
        router.onAuthenticated(.get, Routes.Files.linkPattern, by: readers) { [visitors] _, asked throws(APIError) in
            let (record, uses) = try visitors.link(try asked.parameters.identifier("id"), for: asked.principal.user)
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("link", record)
                writer.key("uses")
                writer.array { writer in
                    for use in uses {
                        writer.object { writer in
                            writer.member("time", use.time.nanoseconds)
                            writer.member("address", use.address)
                            writer.member("agent", ifPresent: use.agent)
                        }
                    }
                }
            }
            return .json(bytes: writer.bytes)
        }
        router.onAuthenticated(.delete, Routes.Files.linkPattern, by: sharers) { [visitors] _, asked throws(APIError) in
            try visitors.revokeLink(try asked.parameters.identifier("id"), by: asked.principal.user)
            return .empty()
        }
        router.onAuthenticated(.post, Routes.Files.signedURLsPattern, by: sharers) {
            [visitors] request, asked throws(APIError) in
            let signed = try visitors.sign(
                try Self.body(of: request),
                try asked.parameters.identifier("id"),
                by: asked.principal.user
            )
            return .json(of: signed, status: .created).with("Cache-Control", "no-store")
        }
    }

    private func addPublicItems(to router: inout Router) {
        router.on(.get, Routes.Files.publicPattern) { [items, visitors] request, context throws(APIError) in
            let top: NodeID = try context.parameters.identifier("id")
            try visitors.requirePublic(top)
            return try Self.contentOrEntries(top, request, items, for: PublicAccess.nobody, showing: true)
        }
        router.on(.get, Routes.Files.publicPathPattern) { [items, visitors] request, context throws(APIError) in
            let top: NodeID = try context.parameters.identifier("id")
            try visitors.requirePublic(top)
            guard case .node(let id) = try items.store.resolve(context.parameters.rest, from: top) else {
                throw TreeStore.hidden
            }
            return try Self.contentOrEntries(id, request, items, for: PublicAccess.nobody, showing: true)
        }
        router.on(.get, Routes.Files.signedPattern) { [items, visitors] request, context throws(APIError) in
            let signed = try visitors.checkSigned(context.parameters)
            let wish = Items.Wish(isInline: try request.query.flag("inline") ?? false, content: signed.content)
            return try items.response(signed.node, for: signed.issuer, wish)
        }
    }

    private func addLinkVisits(to router: inout Router) {
        router.on(.get, Routes.Files.visitPattern) { [items, visitors] request, context throws(APIError) in
            let token = try context.parameters.text("token")
            guard LinkPage.isWanted(request) else { return try Self.described(try visitors.visit(token)) }
            do throws(APIError) { return try Self.front(token, request, items, visitors) } catch {
                return LinkPage.failure(error)
            }
        }
        router.on(.post, Routes.Files.visitOpenPattern) { [visitors] request, context throws(APIError) in
            let token = try context.parameters.text("token")
            let isForm = request.fields["Content-Type"]?.hasPrefix("application/x-www-form-urlencoded") == true
            if isForm { return try Self.openByForm(token, request, visitors) }
            let given: LinkPassword = try Self.body(of: request)
            let ticket = try visitors.open(try visitors.visit(token), password: given.password)
            var writer = JSONWriter()
            writer.object { $0.member("ticket", ticket) }
            return .json(bytes: writer.bytes).with("Cache-Control", "no-store")
        }
        for pattern in [Routes.Files.visitContentPattern, Routes.Files.visitPathPattern] {
            router.on(.get, pattern) { [items, visitors] request, context throws(APIError) in
                try Self.visit(context, request, items, visitors)
            }
        }
        router.on(.get, Routes.Files.visitZipPattern) { [items, visitors] request, context throws(APIError) in
            let visit = try visitors.visit(try context.parameters.text("token"))
            try visitors.requireTicket(try request.query.only("ticket"), for: visit)
            guard visit.link.record.kind == .download else { throw .forbidden("this link is for looking at things") }
            let archive = try Self.zip(visit.node.id, items, for: visit.link.issuer)
            if request.method == .get { try visitors.countDownload(visit, by: request) }
            return archive
        }
    }

    private static func described(_ visit: PublicAccess.Visit) throws(APIError) -> HTTPResponse {
        var writer = JSONWriter()
        writer.object { writer in
            let isOpen = visit.link.password == nil
            // With a password even the name is for those who know it.
            if isOpen, let name = visit.name { writer.member("name", name.description) }
            if isOpen { writer.member("kind", visit.node.attributes.kind.word) }
            if isOpen { writer.member("size", visit.node.attributes.size) }
            writer.member("link", visit.link.record.kind.rawValue)
            writer.member("needs_password", !isOpen)
            writer.member("expires", ifPresent: visit.link.record.expires?.nanoseconds)
        }
        return .json(bytes: writer.bytes).with("Cache-Control", "no-store")
    }

    /// The same as a page. Without a good ticket it asks for the password.
    private static func front(
        _ token: String,
        _ request: HTTPRequest,
        _ items: Items,
        _ visitors: PublicAccess
    ) throws(APIError) -> HTTPResponse {
        let visit = try visitors.visit(token)
        let ticket = try request.query.only("ticket")
        do throws(APIError) { try visitors.requireTicket(ticket, for: visit) } catch {
            return LinkPage.question(token: token)
        }
        let isFolder = visit.node.attributes.kind == .folder
        let entries = isFolder ? try page(of: visit.node.id, request, items, for: visit.link.issuer) : nil
        return LinkPage.front(visit, token: token, ticket: ticket, entries)
    }

    private static func openByForm(
        _ token: String,
        _ request: HTTPRequest,
        _ visitors: PublicAccess
    ) throws(APIError) -> HTTPResponse {
        let text = String(decoding: try request.body.bytes(max: Limits.Files.linkFormBytesMax), as: UTF8.self)
        do throws(APIError) {
            let password = try QueryItems(parsing: text).only("password") ?? ""
            guard password.utf8.count <= Limits.Wire.linkPasswordBytesMax else {
                throw .forbidden("the password is wrong")
            }
            let ticket = try visitors.open(try visitors.visit(token), password: password)
            let place = "../\(PercentEncoding.encode(token))?ticket=\(PercentEncoding.encode(ticket))"
            return HTTPResponse.empty(.seeOther).with("Location", place).with("Cache-Control", "no-store")
        } catch {
            let isOver = error.status == .notFound || error.status == .gone
            return isOver ? LinkPage.failure(error) : LinkPage.question(token: token, wrong: error)
        }
    }

    private static func visit(
        _ context: Context,
        _ request: HTTPRequest,
        _ items: Items,
        _ visitors: PublicAccess
    ) throws(APIError) -> HTTPResponse {
        let visit = try visitors.visit(try context.parameters.text("token"))
        try visitors.requireTicket(try request.query.only("ticket"), for: visit)
        guard case .node(let id) = try items.store.resolve(context.parameters.rest, from: visit.node.id) else {
            throw TreeStore.hidden
        }
        var node = try items.store.node(id, for: visit.link.issuer)
        guard node.attributes.kind == .file else {
            node.rights = nil
            return try contentOrEntries(id, request, items, for: visit.link.issuer, showing: true)
        }
        let isView = visit.link.record.kind == .view
        let asksInline = try request.query.flag("inline") ?? false
        var response = try items.response(id, for: visit.link.issuer, Items.Wish(isInline: isView || asksInline))
        // Whoever could fetch it in parts from the second byte on would never be counted.
        if visit.link.record.downloadsMax != nil { response.acceptsRanges = false }
        let isFirst = request.fields["Range"].map { $0.hasPrefix("bytes=0-") } ?? true
        if request.method == .get, isFirst || !response.acceptsRanges {
            try visitors.countDownload(visit, by: request)
        }
        return response
    }
}

/// What a visitor types.
struct LinkPassword: JSONDecodable {
    let password: String

    init(json: JSONValue) throws(JSONError) {
        password = try JSONReader(json).string("password", bytesMax: Limits.Wire.linkPasswordBytesMax)
    }
}
