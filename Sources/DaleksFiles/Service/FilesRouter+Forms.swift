import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// Files as browsers send them.
extension FilesRouter {
    func addForms(to router: inout Router) {
        let writers = callers(.write)
        router.onAuthenticated(.post, Routes.Files.nodeFilesPattern, by: writers, body: .unlimited) {
            [items] request, asked throws(APIError) in
            try Self.store(request, in: try asked.parameters.identifier("id"), items, by: asked.principal.user)
        }
        router.onAuthenticated(.post, Routes.Files.pathPattern, by: writers, body: .unlimited) {
            [items] request, asked throws(APIError) in
            let user = asked.principal.user
            let folder = try items.store.node(at: asked.parameters.rest, of: user)
            return try Self.store(request, in: folder, items, by: user)
        }
    }

    private static func store(
        _ request: HTTPRequest,
        in folder: NodeID,
        _ items: Items,
        by user: UserID
    ) throws(APIError) -> HTTPResponse {
        guard let reader = MultipartReader(contentType: request.fields["Content-Type"]) else {
            throw .unsupported("the body must be multipart/form-data with a boundary")
        }
        let form = FormUpload(items, into: folder, by: user)
        try form.read(request.body, reader)
        guard !form.stored.isEmpty else { throw .invalid("the form has no file") }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("files", form.stored.map { EntryRecord(name: $0.name, node: $0.node) })
        }
        return .json(bytes: writer.bytes, status: form.stored.contains(where: \.isNew) ? .created : .ok)
    }
}
