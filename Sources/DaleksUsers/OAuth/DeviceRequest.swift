import DaleksCore
import DaleksCrypto
import DaleksSystem

/// A device without a browser that waits for somebody to let it in (RFC 8628).
struct DeviceRequest: Sendable {
    enum State: String, Sendable {
        case pending, approved, denied
        /// It has its tokens.
        case used
    }

    let code: Digest
    let userCode: UserCode
    let client: String
    let device: String
    let scope: Scopes
    let resource: String?
    /// Of the address that asked.
    let origin: Digest
    let expires: Timestamp
    /// Between two questions.
    var pause: Duration
    var polled: Timestamp?
    var state: State
    var account: UserID?
    var authenticated: Timestamp?

    static func newText() -> String { "dld_" + Base64.encode(Random.bytes(count: 32)) }

    static func digest(_ text: String) -> Digest { SHA256.digest(of: Array(text.utf8)) }

    enum Answer: Hashable, Sendable {
        case pending, slowDown, expired, denied, used
        case granted(UserID, authenticated: Timestamp)
    }

    /// What the device is told, and what to remember. It does no work: table tests feed it.
    mutating func asked(at now: Timestamp) -> Answer {
        switch state {
        case .used: return .used
        case .denied: return .denied
        case .approved, .pending: break
        }
        guard now < expires else { return .expired }
        if state == .approved, let account, let authenticated {
            state = .used
            return .granted(account, authenticated: authenticated)
        }
        defer { polled = now }
        // A clock that was set back is no haste.
        if let polled, now - polled < pause, now >= polled {
            pause = pause + Self.slowing
            return .slowDown
        }
        return .pending
    }

    /// RFC 8628, 3.5.
    private static let slowing = Duration.seconds(5)
}
