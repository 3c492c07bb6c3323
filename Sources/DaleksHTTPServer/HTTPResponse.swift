public import DaleksHTTP

/// An answer.
///
/// `ETag` and `Last-Modified` among its fields are compared with the request's conditions, and ranges are cut, after
/// the handler returned: for GET and HEAD a handler just describes the whole.
public struct HTTPResponse: Sendable {
    public var status: HTTPStatus
    public var fields: HTTPFields
    public var body: ResponseBody
    /// Range requests are served where the body has a size.
    public var acceptsRanges: Bool

    public init(_ status: HTTPStatus, fields: HTTPFields = HTTPFields(), body: ResponseBody = .empty) {
        self.status = status
        self.fields = fields
        self.body = body
        acceptsRanges = false
    }

    public static func empty(_ status: HTTPStatus = .noContent) -> HTTPResponse { HTTPResponse(status) }

    public static func bytes(
        _ bytes: [UInt8],
        contentType: String = "application/octet-stream",
        status: HTTPStatus = .ok
    ) -> HTTPResponse {
        HTTPResponse(status, fields: ["Content-Type": contentType], body: .bytes(bytes))
    }

    public static func text(
        _ text: String,
        contentType: String = "text/plain; charset=utf-8",
        status: HTTPStatus = .ok
    ) -> HTTPResponse {
        bytes(Array(text.utf8), contentType: contentType, status: status)
    }

    /// JSON that is already written.
    public static func json(bytes: [UInt8], status: HTTPStatus = .ok) -> HTTPResponse {
        .bytes(bytes, contentType: "application/json", status: status)
    }

    public static func problem(_ error: APIError, requestID: String) -> HTTPResponse {
        var fields: HTTPFields = ["Content-Type": APIError.problemMediaType, "Cache-Control": "no-store"]
        for field in error.fields.all { fields.append(field.name, field.value) }
        return HTTPResponse(error.status, fields: fields, body: .bytes(error.problem(requestID: requestID)))
    }

    /// A file, whole or in the ranges that the client asks for.
    public static func file(
        _ source: FileSource,
        contentType: String = "application/octet-stream"
    ) -> HTTPResponse {
        var response = HTTPResponse(.ok, fields: ["Content-Type": contentType], body: .file(source, 0..<source.size))
        response.acceptsRanges = true
        return response
    }

    /// Content that is read on a worker, whole or in the ranges that the client asks for.
    public static func source(
        _ source: ContentSource,
        contentType: String = "application/octet-stream"
    ) -> HTTPResponse {
        var response = HTTPResponse(.ok, fields: ["Content-Type": contentType], body: .source(source, 0..<source.size))
        response.acceptsRanges = true
        return response
    }

    public static func stream(
        contentType: String = "application/octet-stream",
        next: @escaping @Sendable () throws(APIError) -> [UInt8]?
    ) -> HTTPResponse {
        HTTPResponse(.ok, fields: ["Content-Type": contentType], body: .stream(StreamSource(next: next)))
    }

    /// Answered later, exactly once, by whoever holds the `Parked`. `start` must not block.
    public static func parked(_ start: @escaping @Sendable (Parked) -> Void) -> HTTPResponse {
        HTTPResponse(.ok, body: .parked(start))
    }

    /// A feed of server-sent events; it ends when the sink is closed or dropped, or the client goes. `start` must not
    /// block.
    public static func events(_ start: @escaping @Sendable (EventSink) -> Void) -> HTTPResponse {
        HTTPResponse(
            .ok,
            // The last one tells nginx in front of us not to hold events back.
            fields: ["Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"],
            body: .events(start)
        )
    }

    /// The same with one field more.
    public func with(_ name: String, _ value: String) -> HTTPResponse {
        var copy = self
        copy.fields.set(name, value)
        return copy
    }
}
