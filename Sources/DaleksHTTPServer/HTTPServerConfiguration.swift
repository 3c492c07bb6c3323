import DaleksCore

/// Where a certificate chain and its key are, both PEM; they are read at the start and at each reload.
public struct TLSFiles: Sendable {
    public var certificateChain: String
    public var privateKey: String

    public init(certificateChain: String, privateKey: String) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// How a server listens and what it grants to strangers.
public struct HTTPServerConfiguration: Sendable {
    /// What one client, and all of them, may take.
    public struct Grants: Sendable {
        /// Request line and header. Each connection reserves this much and a little more.
        public var headerBytesMax = Limits.HTTPServer.headerBytesMax
        /// A body whose route says nothing.
        public var bodyBytesMax = Limits.HTTPServer.bodyBytesMax
        /// All connections. More wait in the kernel's queue.
        public var connectionsMax = 16_384
        /// Connections of one address, or one IPv6 /64; more are closed at once. Trusted proxies are exempt.
        public var connectionsPerClientMax = 512
        /// From the first byte that could be sent to the end of the header, handshake included.
        public var headerTimeout = Duration.seconds(10)
        /// A connection without a request.
        public var keepAliveTimeout = Duration.seconds(75)
        /// A client that takes nothing of its answer, or gives nothing of its body.
        public var stallTimeout = Duration.seconds(60)
        /// Bytes a second that a body must come with, after `uploadGrace`: who sends slower holds a worker for nothing.
        public var uploadRateMin: Int64 = 1_024
        public var uploadGrace = Duration.seconds(10)
        /// A request that nobody answered by then gets 503.
        public var parkedTimeout = Duration.seconds(Limits.HTTPServer.parkedSecondsMax)

        public init() {}
    }

    public var address: String
    /// Zero takes any that is free.
    public var port: UInt16
    public var tls: TLSFiles?
    /// Threads that move bytes and run event handlers.
    public var eventThreads: Int
    /// Threads that run all other handlers; they start when needed.
    public var workers: Int
    /// Requests that wait for a worker; more are answered 503.
    public var waitingMax: Int
    public var grants: Grants
    /// Whose word about the client counts: X-Forwarded-For, -Proto and -Host, and X-Request-Id.
    public var trustedProxies: [CIDR]
    /// Told of each request when it is over. Runs on event threads and must not block.
    public var observe: (@Sendable (ServedRequest) -> Void)?

    public init(address: String = "127.0.0.1", port: UInt16 = 0) {
        self.address = address
        self.port = port
        eventThreads = 2
        workers = 16
        waitingMax = 1_024
        grants = Grants()
        trustedProxies = []
    }
}
