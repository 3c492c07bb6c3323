import DaleksCore
public import DaleksSystem

/// Why bytes did not get from one place to the other.
public enum TransferFailure: Error, Sendable {
    case service(ClientFailure)
    /// The file here could not be read or written.
    case local(Errno)
    /// What came is not what the region says that it has.
    case corrupt
    /// The file here ended before the size that it had when the transfer began.
    case shrunk
}

/// How long a transfer outlasts silence: it goes on where it was once the service answers again.
public struct Patience: Sendable {
    /// Opened when nobody wants the transfer any more.
    private let end: Gate
    private let total: Duration
    private var since: Instant?
    private var pause = Duration.milliseconds(250)

    public init(until end: Gate, total: Duration = .seconds(60)) {
        self.end = end
        self.total = total
    }

    /// There was progress: the next silence is a new one.
    mutating func renew() {
        since = nil
        pause = .milliseconds(250)
    }

    /// Waits a little after a failure that may pass; throws it where it will not, or has not for too long.
    mutating func bear(_ failure: ClientFailure) throws(TransferFailure) {
        guard case .unreachable = failure else { throw .service(failure) }
        let now = TimeSource.system.now
        let began = since ?? now
        since = began
        guard now - began < total else { throw .service(failure) }
        if end.wait(timeout: pause) { throw .service(.canceled) }
        pause = min(pause * 2, .seconds(3))
    }
}
