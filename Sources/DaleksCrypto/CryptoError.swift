/// Why something cryptographic could not be done. It never holds keys or what they protect.
public enum CryptoError: Error, Equatable, Sendable {
    /// The bytes are not what they should be: what was read, and what is wrong with it.
    case malformed(String)
    /// Well formed, but of a kind or size that this project does not accept.
    case unsupported(String)
    /// It was made under another key, or changed since.
    case notAuthentic
    /// The library could not do it (in practice: no memory); the operation and the library's word for why.
    case failed(operation: String, reason: String)
}

extension CryptoError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformed(let what): "malformed: \(what)"
        case .unsupported(let what): "not supported: \(what)"
        case .notAuthentic: "not authentic: made under another key, or changed since"
        case .failed(let operation, let reason): "\(operation) failed: \(reason)"
        }
    }
}
