import DaleksSystem
import Synchronization

/// What we know of one connection from `accept` until its socket is closed.
///
/// ## Concurrency
/// The event thread of the connection writes the moments, the watching thread reads them; both are single words.
/// `current` has its own lock and is never held while anything else is done.
final class ConnectionRecord: Sendable {
    static let never = Int64.max

    let descriptor: Int32
    /// Tells this connection from earlier ones that had the same descriptor.
    let generation: UInt32
    let client: ClientAddress
    /// The peer's word about its client counts.
    let isTrustedProxy: Bool
    /// What a handshake on this connection shows.
    let certificates: TLSCertificates?

    /// When the client must have sent what it is sending; then its connection is shut.
    private let deadline: Atomic<Int64>
    /// When the current exchange wants to be looked at: it is parked, or a feed.
    private let lookAt = Atomic<Int64>(ConnectionRecord.never)
    private let peerClosed = Atomic<Bool>(false)
    private let current = Lock<Exchange?>(nil)

    init(
        descriptor: Int32,
        generation: UInt32,
        client: ClientAddress,
        isTrustedProxy: Bool,
        certificates: TLSCertificates?,
        deadline: Int64
    ) {
        self.certificates = certificates
        self.descriptor = descriptor
        self.generation = generation
        self.client = client
        self.isTrustedProxy = isTrustedProxy
        self.deadline = Atomic(deadline)
    }

    /// The client closed its sending side: nothing new will come.
    var isPeerClosed: Bool { peerClosed.load(ordering: .sequentiallyConsistent) }

    func markPeerClosed() { peerClosed.store(true, ordering: .sequentiallyConsistent) }

    var exchange: Exchange? { current.withLock { $0 } }

    func begin(_ exchange: Exchange) { current.withLock { $0 = exchange } }

    func end() {
        setLookAt(Self.never)
        current.withLock { $0 = nil }
    }

    var currentLookAt: Int64 { lookAt.load(ordering: .relaxed) }
    var currentDeadline: Int64 { deadline.load(ordering: .sequentiallyConsistent) }

    func setLookAt(_ nanoseconds: Int64) { lookAt.store(nanoseconds, ordering: .relaxed) }

    /// How long a client that closed its sending side has until what it sent is read. Its last bytes lie in the kernel
    /// already, so this is a matter of our pace, not of the network's.
    static let lastBytesNanoseconds: Int64 = 500_000_000

    /// Gives the client that long to send what it is to send; a client that will send nothing new only a moment.
    func arm(now: Int64, _ nanoseconds: Int64) {
        setDeadline(now + (isPeerClosed ? min(nanoseconds, Self.lastBytesNanoseconds) : nanoseconds))
        // Marked in between: the watching thread may have looked before there was a deadline to shorten.
        if isPeerClosed { setDeadline(now + min(nanoseconds, Self.lastBytesNanoseconds)) }
    }

    func setDeadline(_ nanoseconds: Int64) { deadline.store(nanoseconds, ordering: .sequentiallyConsistent) }
}
