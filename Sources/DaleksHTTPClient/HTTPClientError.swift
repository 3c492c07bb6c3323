public import DaleksSystem

/// Why an exchange has no answer. An answer of any status, 500 too, is no error here.
public enum HTTPClientError: Error, Equatable, Sendable {
    /// The deadline passed, or the peer was silent for the idle timeout.
    case timedOut
    /// By `Exchange.cancel`, by the task's cancellation, or because the client was shut down.
    case canceled
    /// The exchange's own sink had enough.
    case stopped
    case couldNotConnect(detail: String)
    case tls(detail: String)
    /// The answer's header or body is larger than allowed.
    case tooLarge
    case badURL
    /// Without TLS, to another machine.
    case unprotected
    case badRequest(detail: String)
    /// Broken off, or not HTTP.
    case transfer(detail: String)
    /// Too many exchanges wait already.
    case overloaded
    /// What the request's source or sink threw.
    case local(Errno)
}

extension HTTPClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .timedOut: "no answer within the time allowed"
        case .canceled: "canceled"
        case .stopped: "stopped by the receiver"
        case .couldNotConnect(let detail): "could not connect: \(detail)"
        case .tls(let detail): "no trusted TLS connection: \(detail)"
        case .tooLarge: "the answer is larger than allowed"
        case .badURL: "not an http or https URL without credentials"
        case .unprotected: "without TLS everybody on the way could read what is sent"
        case .badRequest(let detail): "not a request that can be sent: \(detail)"
        case .transfer(let detail): "the exchange broke off: \(detail)"
        case .overloaded: "too many requests are waiting already"
        case .local(let errno): "the body could not be read or written here: \(errno)"
        }
    }
}
