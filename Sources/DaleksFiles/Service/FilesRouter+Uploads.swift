import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// Resumable uploads as tus 1.0 has them.
extension FilesRouter {
    private static let version = "1.0.0"
    private static let mediaType = "application/offset+octet-stream"

    private var uploads: Uploads { Uploads(items: items) }

    func addUploads(to router: inout Router) {
        let (readers, writers) = (callers(.read), callers(.write))
        for pattern in [Routes.Files.uploads, Routes.Files.uploadPattern] {
            router.on(.options, pattern, runs: .event) { _, _ in
                var response = HTTPResponse.empty()
                response.fields.set("Tus-Resumable", Self.version)
                response.fields.set("Tus-Version", Self.version)
                response.fields.set(
                    "Tus-Extension",
                    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation"
                )
                response.fields.set("Tus-Checksum-Algorithm", "sha1,sha256")
                response.fields.set("Tus-Max-Size", String(Limits.fileBytesMax))
                return response
            }
        }
        router.onAuthenticated(.post, Routes.Files.uploads, by: writers, body: .unlimited) {
            [uploads, visitors] request, asked throws(APIError) in
            try Self.checkVersion(request)
            // With host and all: not every client of tus can do with less.
            return try Self.create(request, uploads, by: asked.principal.user, at: visitors.baseURL)
        }
        router.onAuthenticated(.head, Routes.Files.uploadPattern, by: readers) {
            [uploads] request, asked throws(APIError) in
            try Self.checkVersion(request)
            let upload = try uploads.find(try asked.parameters.identifier("id"), of: asked.principal.user)
            var response = Self.answer(.ok, upload)
            if let length = upload.length {
                response.fields.set("Upload-Length", String(length))
            } else {
                response.fields.set("Upload-Defer-Length", "1")
            }
            if let metadata = upload.metadata { response.fields.set("Upload-Metadata", metadata) }
            if upload.isPartial { response.fields.set("Upload-Concat", "partial") }
            if let final = upload.final { response.fields.set("Upload-Concat", final) }
            return response
        }
        router.onAuthenticated(.patch, Routes.Files.uploadPattern, by: writers, body: .unlimited) {
            [uploads] request, asked throws(APIError) in
            try Self.checkVersion(request)
            return try Self.append(request, asked, uploads)
        }
        router.onAuthenticated(.delete, Routes.Files.uploadPattern, by: writers) {
            [uploads] request, asked throws(APIError) in
            try Self.checkVersion(request)
            try uploads.cancel(try asked.parameters.identifier("id"), of: asked.principal.user)
            return HTTPResponse.empty().with("Tus-Resumable", Self.version)
        }
    }

    private static func checkVersion(_ request: HTTPRequest) throws(APIError) {
        guard request.fields["Tus-Resumable"] == version else {
            throw APIError.preconditionFailed("this speaks tus \(version)").with("Tus-Version", version)
        }
    }

    private static func answer(_ status: HTTPStatus, _ upload: StoredUpload) -> HTTPResponse {
        var response = HTTPResponse.empty(status)
        response.fields.set("Tus-Resumable", version)
        response.fields.set("Upload-Offset", String(upload.received))
        response.fields.set("Cache-Control", "no-store")
        response.fields.set("Upload-Expires", HTTPDate.text(upload.expires))
        if let node = upload.node { response.fields.set("Daleks-Node", "\(node)") }
        return response
    }

    private static func create(
        _ request: HTTPRequest,
        _ uploads: Uploads,
        by user: UserID,
        at base: String
    ) throws(APIError) -> HTTPResponse {
        var plan = Uploads.Plan()
        plan.metadata = request.fields["Upload-Metadata"]
        let concat = request.fields["Upload-Concat"]
        plan.isPartial = concat == "partial"
        if !plan.isPartial { plan.target = try target(plan.metadata, uploads, of: user) }
        if let concat, concat.hasPrefix("final;") {
            plan.final = concat
            let upload = try uploads.join(try parts(of: concat), as: plan, by: user)
            return answer(.created, upload).with("Location", base + Routes.Files.upload(upload.id))
        }
        guard concat == nil || plan.isPartial else { throw .malformed("Upload-Concat must be partial or final") }
        switch (request.fields["Upload-Length"], request.fields["Upload-Defer-Length"]) {
        case (let text?, nil): plan.length = try number(text, "Upload-Length")
        case (nil, "1"): break
        default: throw .malformed("one of Upload-Length and Upload-Defer-Length: 1 must be there")
        }
        guard plan.length ?? 0 <= Limits.fileBytesMax else { throw .tooLarge("no file is that long") }
        let checksum = try checksum(request)
        var upload = try uploads.create(plan, by: user)
        // With the first bytes, or empty and so complete already.
        let brings = request.fields["Content-Type"] == mediaType && !request.body.isEmpty
        if brings || plan.length == 0 {
            upload = try uploads.append(brings ? request.body : .empty, to: upload, checksum: checksum)
        }
        return answer(.created, upload).with("Location", base + Routes.Files.upload(upload.id))
    }

    private static func append(
        _ request: HTTPRequest,
        _ asked: Authenticated<Caller>,
        _ uploads: Uploads
    ) throws(APIError) -> HTTPResponse {
        guard request.fields["Content-Type"] == mediaType else { throw .unsupported("the body must be \(mediaType)") }
        var upload = try uploads.find(try asked.parameters.identifier("id"), of: asked.principal.user)
        let offset = try number(request.fields["Upload-Offset"] ?? "", "Upload-Offset")
        guard offset == upload.received else { throw APIError(.conflict, "the upload is at \(upload.received)") }
        if let text = request.fields["Upload-Length"] {
            let length = try number(text, "Upload-Length")
            guard upload.length == nil || upload.length == length, length >= upload.received else {
                throw .malformed("the upload's length was told before")
            }
            upload.length = length
        }
        upload = try uploads.append(request.body, to: upload, checksum: try checksum(request))
        return answer(.noContent, upload)
    }

    private static func checksum(_ request: HTTPRequest) throws(APIError) -> Checksum? {
        guard let text = request.fields["Upload-Checksum"] else { return nil }
        guard let checksum = Checksum(text) else { throw .malformed("the checksum must be sha1 or sha256, in base64") }
        return checksum
    }

    private static func number(_ text: String, _ field: String) throws(APIError) -> Int64 {
        guard let value = Int64(text), value >= 0, !text.hasPrefix("+") else {
            throw .malformed("\(field) must be a whole number")
        }
        return value
    }

    /// Where the upload is to go.
    private static func target(_ text: String?, _ uploads: Uploads, of user: UserID) throws(APIError) -> WriteTarget {
        let values = try UploadMetadata(text ?? "").values
        let base = try values["base"].map { text throws(APIError) in try number(text, "base") }
        if let text = values["node"] {
            guard let node = NodeID(text) else { throw .malformed("node is no identifier") }
            return WriteTarget(.node(node), base: base)
        }
        guard let filename = values["filename"] ?? values["name"], let name = try? Name(filename) else {
            throw .malformed("Upload-Metadata must have a filename, or a node")
        }
        guard let text = values["parent"] else {
            return WriteTarget(.name(parent: try uploads.items.store.tree(of: user).root, name: name), base: base)
        }
        guard let parent = NodeID(text) else { throw .malformed("parent is no identifier") }
        return WriteTarget(.name(parent: parent, name: name), base: base)
    }

    /// `final;URL URL`: by the ids that the URLs end with.
    private static func parts(of concat: String) throws(APIError) -> [UploadID] {
        var ids: [UploadID] = []
        for url in concat.dropFirst("final;".count).split(separator: " ") {
            guard let last = url.split(separator: "/").last, let id = UploadID(last) else {
                throw .malformed("Upload-Concat names what is no upload")
            }
            ids.append(id)
        }
        guard (1...Limits.Files.joinedUploadsMax).contains(ids.count) else {
            throw .malformed("Upload-Concat must name 1 to \(Limits.Files.joinedUploadsMax) uploads")
        }
        return ids
    }
}
