public import DaleksHTTP
import DaleksSystem

/// One request: what its header said, and its body to be read. Copies are cheap and the same request.
public struct HTTPRequest: Sendable {
    final class Head: Sendable {
        let method: HTTPMethod
        let target: RequestTarget
        let rawTarget: String
        let fields: HTTPFields
        let client: ClientAddress
        let scheme: String
        let host: String?
        let requestID: RequestID
        /// Who asks, for the log; nil where nobody will read it.
        let principal: Lock<String?>?

        init(
            method: HTTPMethod,
            target: RequestTarget,
            rawTarget: String,
            fields: HTTPFields,
            client: ClientAddress,
            scheme: String,
            host: String?,
            requestID: RequestID,
            notesPrincipal: Bool
        ) {
            self.method = method
            self.target = target
            self.rawTarget = rawTarget
            self.fields = fields
            self.client = client
            self.scheme = scheme
            self.host = host
            self.requestID = requestID
            principal = notesPrincipal ? Lock(nil) : nil
        }
    }

    let head: Head
    public internal(set) var body: HTTPBody

    init(head: Head, body: HTTPBody) {
        self.head = head
        self.body = body
    }

    /// A request from nowhere, for `Router.respond(to:)`.
    public init(
        _ method: HTTPMethod,
        _ target: String,
        fields: HTTPFields = HTTPFields(),
        body: [UInt8] = [],
        client: ClientAddress = .loopback,
        scheme: String = "http"
    ) throws(APIError) {
        head = Head(
            method: method,
            target: try RequestTarget(parsing: target),
            rawTarget: target,
            fields: fields,
            client: client,
            scheme: scheme,
            host: fields["Host"],
            requestID: .next(),
            notesPrincipal: false
        )
        self.body = HTTPBody(body)
    }

    public var method: HTTPMethod { head.method }
    /// Decoded; for people and logs. Decide by `target.segments` or path parameters.
    public var path: String { head.target.path }
    public var target: RequestTarget { head.target }
    /// As it came, still encoded.
    public var rawTarget: String { head.rawTarget }
    public var query: QueryItems { head.target.query }
    public var fields: HTTPFields { head.fields }
    /// The peer, or whom a trusted proxy named.
    public var client: ClientAddress { head.client }
    /// `http` or `https`, as the client saw it.
    public var scheme: String { head.scheme }
    /// The authority that the client asked, with its port where it named one.
    public var host: String? { head.host }
    public var requestID: String { head.requestID.text }

    func with(_ body: HTTPBody) -> HTTPRequest { HTTPRequest(head: head, body: body) }

    func limitingBody(to limit: Int64) -> HTTPRequest {
        var copy = self
        copy.body.limit = limit
        return copy
    }
}
