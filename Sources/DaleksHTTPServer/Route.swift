import DaleksCore
import DaleksHTTP

/// Where a handler runs.
public enum RouteThread: Sendable {
    /// On a worker: it may block.
    case worker
    /// On the event thread, at once: it must not block, for other connections wait. For what is answered from memory,
    /// and for parking.
    case event
}

/// What a route expects of a request's body.
public struct BodyRule: Sendable {
    /// Longer is 413. Nil: the server's default.
    public var bytesMax: Int64?
    /// Without a Content-Length the answer is 411.
    public var requiresLength: Bool

    public init(bytesMax: Int64? = nil, requiresLength: Bool = false) {
        self.bytesMax = bytesMax
        self.requiresLength = requiresLength
    }

    public static let standard = BodyRule()
    /// As long as the client likes; the handler decides.
    public static let unlimited = BodyRule(bytesMax: .max)
    public static func limited(to bytesMax: Int64) -> BodyRule { BodyRule(bytesMax: bytesMax) }
}

/// One line of the routing table.
final class Route: Sendable {
    typealias Handler = @Sendable (HTTPRequest, Context) throws(APIError) -> HTTPResponse
    /// Looks, on the event thread and without waiting, whether the answer is at hand; nil where a worker is needed.
    typealias Glance = @Sendable (HTTPRequest, Context) throws(APIError) -> HTTPResponse?

    let method: HTTPMethod
    let pattern: RoutePattern
    let thread: RouteThread
    let body: BodyRule
    let handler: Handler
    let glance: Glance?

    init(
        method: HTTPMethod,
        pattern: RoutePattern,
        thread: RouteThread,
        body: BodyRule,
        handler: @escaping Handler,
        glance: Glance? = nil
    ) {
        self.method = method
        self.pattern = pattern
        self.thread = thread
        self.body = body
        self.handler = handler
        self.glance = glance
    }
}

/// `/v1/nodes/:id/children` or `/v1/path/*path`: literal segments, named ones, and at the end all that is left.
struct RoutePattern: Sendable {
    enum Segment: Sendable {
        case literal(String)
        case parameter(String)
        case rest
    }

    let text: String
    let segments: [Segment]
    let names: [String]

    init(_ text: String) {
        precondition(text.hasPrefix("/"), "a pattern begins with a slash")
        self.text = text
        let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        segments = text == "/" ? [] : parts.map(Self.segment)
        names = segments.compactMap { segment in
            if case .parameter(let name) = segment { name } else { nil }
        }
        precondition(segments.count <= Limits.HTTPServer.patternSegmentsMax, "a pattern has too many segments")
        for segment in segments.dropLast() {
            if case .rest = segment { preconditionFailure("*rest stands at the end of a pattern only") }
        }
    }

    private static func segment(_ part: Substring) -> Segment {
        precondition(!part.isEmpty, "a pattern has an empty segment")
        if part.hasPrefix(":") { return .parameter(String(part.dropFirst())) }
        return part.hasPrefix("*") ? .rest : .literal(String(part))
    }
}
