public import DaleksCore
public import DaleksHTTP
public import DaleksSystem

/// One request and what shall happen with its answer.
public struct ClientRequest: Sendable {
    public enum Body: Sendable {
        case empty
        case bytes([UInt8])
        /// So many bytes of a file. A file that ends before is an error.
        case file(FileSource, offset: Int64, count: Int64)
        /// `pull` fills the buffer as far as it likes, says how far, and 0 at the end. With no count the body goes out
        /// in chunks. It is called by one thread at a time, may block, and is never called again once the exchange is
        /// complete. A body that was pulled from cannot be sent twice, so such a request is retried only before.
        case stream(count: Int64?, pull: @Sendable (UnsafeMutableRawBufferPointer) throws(Errno) -> Int)
    }

    /// Where the body of a successful answer (2xx) goes. What a refusal says is always in the response's `body`, cut at
    /// `Limits.HTTPClient.refusalBytesMax` (or `max`, if that is larger).
    public enum Sink: Sendable {
        case memory(max: Int)
        /// Hears each piece, in order, one at a time. It may block, which makes the peer wait. False ends the exchange
        /// with `.stopped`, an error ends it with `.local`. It is never called once the exchange is complete.
        case stream(@Sendable (UnsafeRawBufferPointer) throws(Errno) -> Bool)
    }

    /// What an exchange is mostly. Where the line is limited, few of those that carry much are under way at a time.
    public enum Load: Sendable {
        case light
        case upload
        case download
    }

    public enum RetryPolicy: Sendable, Equatable {
        case none
        /// Where `isIdempotent` holds: what broke off or was told 429, 502, 503 or 504 is tried again after a while,
        /// as long as the deadline allows and the sink has heard nothing.
        case idempotent(maxAttempts: Int)
    }

    public enum RedirectPolicy: Sendable, Equatable {
        /// A redirect is an answer like any other.
        case none
        /// GET and HEAD follow so many within the same origin: credentials never go elsewhere.
        case sameOrigin(max: Int)
    }

    public var method: HTTPMethod
    /// `http` or `https`, without credentials; sent as it stands.
    public var url: String
    public var fields: HTTPFields
    public var body: Body
    public var sink: Sink
    /// Is told of a successful answer's head before a `.stream` sink hears anything; false ends the exchange.
    public var onHead: (@Sendable (HTTPStatus, HTTPFields) -> Bool)?
    /// For the whole exchange: waiting its turn, connecting, all attempts.
    public var deadline: Duration
    /// Ends an attempt in which no byte moved for so long, though we were ready to send or take one.
    public var idleTimeout: Duration
    public var retry: RetryPolicy
    /// Doing it twice is as good as once. A request of which this is false is never sent twice, not even over a pooled
    /// connection that turned out to be dead.
    public var isIdempotent: Bool
    public var redirects: RedirectPolicy
    public var load = Load.light

    public init(
        _ method: HTTPMethod,
        _ url: String,
        fields: HTTPFields = HTTPFields(),
        body: Body = .empty,
        sink: Sink = .memory(max: Limits.HTTPClient.bodyBytesDefault),
        deadline: Duration = Limits.HTTPClient.deadline,
        idleTimeout: Duration = Limits.HTTPClient.idleTimeout,
        retry: RetryPolicy = .none,
        isIdempotent: Bool? = nil,
        redirects: RedirectPolicy = .none
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
        self.sink = sink
        self.deadline = deadline
        self.idleTimeout = idleTimeout
        self.retry = retry
        self.isIdempotent = isIdempotent ?? method.isIdempotent
        self.redirects = redirects
    }
}

extension ClientRequest {
    /// Fields that frame a message are the client's own business: a second opinion in them is request smuggling.
    private static let ownFields = [
        "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "TE", "Trailer",
    ]

    /// Nil when it can be sent.
    func refusal() -> HTTPClientError? {
        guard method.isWellFormed, method != .connect else { return .badRequest(detail: "the method") }
        for name in Self.ownFields where fields.contains(name) {
            return .badRequest(detail: "the field \(name) is set by the client")
        }
        switch body {
        case .file(_, let offset, let count) where offset < 0 || count < 0:
            return .badRequest(detail: "a file's range is negative")
        case .stream(let count?, _) where count < 0:
            return .badRequest(detail: "a body's size is negative")
        case .empty, .bytes, .file, .stream: return nil
        }
    }

    /// The body can be sent from its beginning again.
    var isReplayable: Bool {
        switch body {
        case .empty, .bytes, .file: true
        case .stream: false
        }
    }
}
