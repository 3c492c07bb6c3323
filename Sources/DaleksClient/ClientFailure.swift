public import DaleksHTTP

/// Why a service did not do what it was asked.
public enum ClientFailure: Error, Hashable, Sendable {
    /// No answer, or one that says to come again. Nothing is known about what the service did.
    case unreachable(String)
    /// The service understood and said no.
    case refused(status: Int, code: String, detail: String)
    /// The log-in ended: only the user can begin a new one.
    case loggedOut(String)
    /// The answer is not what docs/wire.md says.
    case malformed(String)
    /// Nothing was sent: it would have been readable on the way.
    case unprotected(url: String)
    case canceled
}

extension ClientFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreachable(let detail): detail
        case .refused(_, let code, let detail): detail.isEmpty ? code : detail
        case .loggedOut(let detail): "logged out (\(detail)); run `daleks login`"
        case .malformed(let detail): "the service's answer cannot be read: \(detail)"
        case .unprotected(let url):
            "\(url) has no TLS, and everybody on the way could read passwords and files: name it with https://, or log "
                + "in with --allow-http where the way there is safe by itself"
        case .canceled: "canceled"
        }
    }

    /// The stable code of a refusal.
    public var code: String? {
        guard case .refused(_, let code, _) = self else { return nil }
        return code
    }
}

extension APIError.Code {
    /// Whether a failure is a refusal with this code.
    public func explains(_ failure: ClientFailure) -> Bool { failure.code == rawValue }
}
