import DaleksCore

/// What one client keeps to in all its exchanges.
public struct HTTPClientConfiguration: Sendable {
    /// Concurrent exchanges to one origin (scheme, host and port), and so its connections.
    public var connectionsPerHostMax = Limits.HTTPClient.connectionsPerHostMax
    /// Concurrent exchanges, all origins together.
    public var exchangesActiveMax = Limits.HTTPClient.exchangesActiveMax
    /// Accepted and not yet answered, waiting ones included.
    public var exchangesMax = Limits.HTTPClient.exchangesMax
    public var connectTimeout = Limits.HTTPClient.connectTimeout
    /// Certificates (PEM) that are trusted beside those of the system.
    public var caFile: String?
    /// Nothing is sent to another machine without TLS.
    public var requiresTLS = false
    public var userAgent: String
    /// A proxy's URL. The environment's `http_proxy` and the like are never looked at.
    public var proxy: String?
    /// HTTP/2 where a TLS server offers it. Off, because of what libcurl 7.88 was measured to do against nginx: one
    /// POST in tens of thousands failed with a framing error, and 1 MiB answers cost a fifth more than over HTTP/1.1.
    public var isHTTP2Allowed = false
    /// What all exchanges together may take of the line; other clients may share it.
    public var line = LineLimits()
    public var retryDelayBase = Limits.HTTPClient.retryDelayBase
    public var retryDelayMax = Limits.HTTPClient.retryDelayMax
    public var retryAfterMax = Limits.HTTPClient.retryAfterMax
    /// Threads for sinks, sources and completions.
    public var callbackThreadsMax = Limits.HTTPClient.callbackThreadsMax

    public init(userAgent: String = "daleks", caFile: String? = nil) {
        self.userAgent = userAgent
        self.caFile = caFile
    }
}
