import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService

/// Files and folders for programs without a journal: by id and by path.
extension FilesRouter {
    func addItems(to router: inout Router) {
        addNodeItems(to: &router)
        addPathItems(to: &router)
        addLookups(to: &router)
    }

    private func addNodeItems(to router: inout Router) {
        let (readers, writers) = (callers(.read), callers(.write))
        router.onAuthenticated(
            .get,
            Routes.Files.contentPattern,
            by: readers,
            glance: atHand { parameters in NodeID(parameters["id"] ?? "").map { .node($0) } }
        ) { [items] request, asked throws(APIError) in
            let wish = Items.Wish(isInline: try request.query.flag("inline") ?? false)
            return try items.response(try asked.parameters.identifier("id"), for: asked.principal.user, wish)
        }
        router.onAuthenticated(.get, Routes.Files.versionContentPattern, by: readers) {
            [items] request, asked throws(APIError) in
            let wish = Items.Wish(
                isInline: try request.query.flag("inline") ?? false,
                content: try asked.parameters.integer("revision", in: 1...Int64.max)
            )
            return try items.response(try asked.parameters.identifier("id"), for: asked.principal.user, wish)
        }
        router.onAuthenticated(.put, Routes.Files.contentPattern, by: writers, body: .unlimited) {
            [items] request, asked throws(APIError) in
            let target = WriteTarget(.node(try asked.parameters.identifier("id")), request.fields)
            return Self.answer(try items.write(request.body, to: target, by: asked.principal.user))
        }
        router.onAuthenticated(.patch, Routes.Files.nodePattern, by: writers) {
            [items] request, asked throws(APIError) in
            let told = try items.store.change(
                try asked.parameters.identifier("id"),
                try Self.body(of: request),
                request.fields,
                by: asked.principal.user
            )
            items.announce(told.owners)
            return .json(of: told.value)
        }
        router.onAuthenticated(.delete, Routes.Files.nodePattern, by: writers) {
            [items] request, asked throws(APIError) in
            let id: NodeID = try asked.parameters.identifier("id")
            items.announce(try items.store.discard(id, request.fields, by: asked.principal.user))
            return .empty()
        }
        router.onAuthenticated(.post, Routes.Files.childrenPattern, by: writers) {
            [items] request, asked throws(APIError) in
            let wanted: ChildRequest = try Self.body(of: request)
            if wanted.isPublic || !wanted.grants.isEmpty { try asked.principal.require(.share) }
            let told = try items.store.makeChild(
                wanted,
                in: try asked.parameters.identifier("id"),
                by: asked.principal.user
            )
            items.announce(told.owners)
            return .json(of: told.value, status: .created)
        }
        router.onAuthenticated(.post, Routes.Files.copyPattern, by: writers) {
            [items] request, asked throws(APIError) in
            let told = try items.store.copy(
                try asked.parameters.identifier("id"),
                to: try Self.body(of: request),
                by: asked.principal.user
            )
            items.announce(told.owners)
            return .json(of: told.value, status: .created)
        }
        router.onAuthenticated(.get, Routes.Files.zipPattern, by: readers) { [items] _, asked throws(APIError) in
            try Self.zip(try asked.parameters.identifier("id"), items, for: asked.principal.user)
        }
    }

    /// A small file that was read lately and is as it was, for somebody whose token was checked before.
    private func atHand(
        _ place: @escaping @Sendable (PathParameters) -> KnownAnswers.Key.Place?
    ) -> @Sendable (HTTPRequest, Context) throws(APIError) -> (by: Caller, answer: HTTPResponse)? {
        { [tokens, known, users] request, context throws(APIError) in
            guard request.query.isEmpty, let place = place(context.parameters),
                let caller = tokens.remembered(request, needing: .read),
                let answer = known.answer(to: KnownAnswers.Key(caller: caller.user, place: place))
            else { return nil }
            try users?.take(caller.user)
            return (caller, answer)
        }
    }

    private func addPathItems(to router: inout Router) {
        let (readers, writers) = (callers(.read), callers(.write))
        router.onAuthenticated(
            .get,
            Routes.Files.pathPattern,
            by: readers,
            glance: atHand { .path($0.rest) }
        ) { [items] request, asked throws(APIError) in
            let user = asked.principal.user
            let wish = Items.Wish(isInline: try request.query.flag("inline") ?? false)
            switch try items.find(.path(asked.parameters.rest), for: user, wish) {
            case .folder(let id): return try Self.entries(of: id, request, items, for: user)
            case .answer(let answer): return answer
            }
        }
        router.onAuthenticated(.put, Routes.Files.pathPattern, by: writers, body: .unlimited) {
            [items] request, asked throws(APIError) in
            let user = asked.principal.user
            let place: WriteTarget.Place =
                switch try items.store.resolve(asked.parameters.rest, from: try items.store.tree(of: user).root) {
                case .node(let id): .node(id)
                case .free(let parent, let name): .name(parent: parent, name: name)
                }
            return Self.answer(try items.write(request.body, to: WriteTarget(place, request.fields), by: user))
        }
        router.onAuthenticated(.delete, Routes.Files.pathPattern, by: writers) {
            [items] request, asked throws(APIError) in
            let user = asked.principal.user
            let id = try items.store.node(at: asked.parameters.rest, of: user)
            items.announce(try items.store.discard(id, request.fields, by: user))
            return .empty()
        }
        router.onAuthenticated(.get, Routes.Files.itemPattern, by: readers) { [items] _, asked throws(APIError) in
            let id = try items.store.node(at: asked.parameters.rest, of: asked.principal.user)
            return .json(of: try items.store.node(id, for: asked.principal.user))
        }
        router.onAuthenticated(.post, Routes.Files.itemPattern, by: writers) {
            [items] request, asked throws(APIError) in
            try Self.run(
                try Self.body(of: request),
                at: asked.parameters.rest,
                request.fields,
                items,
                by: asked.principal.user
            )
        }
    }

    private func addLookups(to router: inout Router) {
        let readers = callers(.read)
        router.onAuthenticated(.get, Routes.Files.nodePathPattern, by: readers) { [store] _, asked throws(APIError) in
            let path = try store.path(of: try asked.parameters.identifier("id"), for: asked.principal.user)
            var writer = JSONWriter()
            writer.object { $0.member("path", path) }
            return .json(bytes: writer.bytes)
        }
        router.onAuthenticated(.get, Routes.Files.search, by: readers) { [store] request, asked throws(APIError) in
            let found = try store.search(
                try request.query.only("q") ?? "",
                of: asked.principal.user,
                after: try request.query.only("after"),
                limit: try Self.limit(request.query)
            )
            return .json(of: found)
        }
        router.onAuthenticated(.get, Routes.Files.audit, by: readers) { [store] request, asked throws(APIError) in
            try store.audit(
                of: asked.principal.user,
                before: try request.query.integer("after", in: 1...Int64.max),
                limit: try Self.limit(request.query)
            )
        }
    }

    // MARK: Parts

    private static func answer(_ written: (record: NodeRecord, isNew: Bool)) -> HTTPResponse {
        .json(of: written.record, status: written.isNew ? .created : .ok).with("ETag", "\"\(written.record.content)\"")
    }

    static func contentOrEntries(
        _ id: NodeID,
        _ request: HTTPRequest,
        _ items: Items,
        for reader: UserID,
        showing isShown: Bool = false
    ) throws(APIError) -> HTTPResponse {
        let node = try items.store.node(id, for: reader)
        guard node.attributes.kind == .folder else {
            return try items.response(id, for: reader, Items.Wish(isInline: try request.query.flag("inline") ?? false))
        }
        if isShown, LinkPage.isWanted(request) {
            // The last part of the address: names in it are below that.
            let name = request.path.split(separator: "/").last.map(String.init) ?? ""
            let here = request.path.hasSuffix("/") ? "" : name
            return LinkPage.folder(
                name,
                try page(of: id, request, items, for: reader),
                here: here,
                ticket: try request.query.only("ticket")
            )
        }
        return try entries(of: id, request, items, for: reader)
    }

    private static func entries(
        of folder: NodeID,
        _ request: HTTPRequest,
        _ items: Items,
        for reader: UserID
    ) throws(APIError) -> HTTPResponse {
        .json(of: try page(of: folder, request, items, for: reader))
    }

    static func page(
        of folder: NodeID,
        _ request: HTTPRequest,
        _ items: Items,
        for reader: UserID
    ) throws(APIError) -> ChildrenPage {
        try items.store.children(
            of: folder,
            after: try name(request.query, "after"),
            limit: try limit(request.query),
            for: reader
        )
    }

    static func zip(_ id: NodeID, _ items: Items, for reader: UserID) throws(APIError) -> HTTPResponse {
        let node = try items.store.node(id, for: reader)
        guard node.attributes.kind == .folder else { throw .invalid("only a folder is sent as an archive") }
        let name = try items.store.name(of: id, for: reader)
        let stream = ZipStream(items, folder: id, reader: reader)
        var response = HTTPResponse.stream(contentType: "application/zip") { () throws(APIError) in try stream.next() }
        Items.guardAgainstScripts(&response, name: name.appending(".zip"), isInline: false)
        response.fields.set("Cache-Control", "private, no-cache")
        return response
    }

    private static func run(
        _ wanted: PathRequest,
        at path: [String],
        _ fields: HTTPFields,
        _ items: Items,
        by user: UserID
    ) throws(APIError) -> HTTPResponse {
        let root = try items.store.tree(of: user).root
        let told: TreeStore.Told<NodeRecord>
        switch wanted {
        case .makeFolder:
            let (parent, name) = try items.store.free(path, from: root)
            told = try items.store.makeChild(ChildRequest(name: name, kind: .folder), in: parent, by: user)
        case .move(let target):
            let (parent, name) = try items.store.free(segments(target), from: root)
            let id = try items.store.node(at: path, of: user)
            told = try items.store.change(id, NodeChange(name: name, toParent: parent), fields, by: user)
        case .copy(let target):
            let (parent, name) = try items.store.free(segments(target), from: root)
            let id = try items.store.node(at: path, of: user)
            told = try items.store.copy(id, to: CopyRequest(toParent: parent, name: name), by: user)
        }
        items.announce(told.owners)
        return .json(of: told.value, status: wanted.makesSomething ? .created : .ok)
    }

    private static func segments(_ path: String) -> [String] { path.split(separator: "/").map { String($0) } }
}

extension PathRequest {
    fileprivate var makesSomething: Bool {
        switch self {
        case .makeFolder, .copy: true
        case .move: false
        }
    }
}
