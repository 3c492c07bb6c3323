/// What became of one request, for logs and measures. Nothing in it is secret: of the target there is the route's
/// pattern only, since paths and queries may carry names and tokens.
public struct ServedRequest: Sendable {
    public let requestID: String
    /// `-` where it could not be read.
    public let method: String
    /// The route's pattern; `-` where none matched.
    public let pattern: String
    /// Zero where the client was gone before there was an answer. A request that libmicrohttpd refused by itself has
    /// its status, and neither method nor pattern.
    public let status: Int
    /// Of the answer's body: those that were handed over, or were meant to be where a short answer was cut.
    public let bytes: Int64
    /// Of the request's body, as far as it came.
    public let receivedBytes: Int64
    /// The last byte was handed to the kernel. False where the client went away or the answer failed on its way.
    public let isComplete: Bool
    public let duration: Duration
    public let client: ClientAddress
    /// Who asked, where somebody was let in and the authenticator names whom it lets in.
    public let principal: String?
}
