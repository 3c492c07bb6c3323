import CMicroHTTPD
import DaleksCore
import DaleksHTTP
import DaleksSystem
import Synchronization

/// What all connections of one server share.
///
/// ## Concurrency
/// Everything is immutable but the counters and marks, which are single words, and the daemon's handle, which `start`
/// sets before any connection exists and `stop` clears after the last thread that adds connections is gone.
final class ServerCore: Sendable {
    let configuration: HTTPServerConfiguration
    let router: Router
    let logger: Logger
    let time = TimeSource.system
    let table: ConnectionTable
    let watcher: Watcher
    let certificates: TLSCertificates?
    /// Somebody wants to know how long requests take; otherwise no clock is read.
    let measuresRequests: Bool
    let keepAliveNanoseconds: Int64
    private let headerNanoseconds: Int64
    let workers: WorkerPool
    /// Handlers whose request's body comes while they run: they wait for their clients, and only for each other.
    private let streamWorkers: WorkerPool
    private let daemon = Lock<Daemon?>(nil)

    private let clock: Atomic<Int64>
    private let draining = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private let active = Atomic<Int>(0)
    private let suspended = Atomic<Int>(0)

    /// The handle of libmicrohttpd. Unchecked: it may be used from any thread, since the library locks by itself.
    private struct Daemon: @unchecked Sendable {
        let raw: OpaquePointer
    }

    init(_ configuration: HTTPServerConfiguration, _ router: Router, _ logger: Logger) throws(HTTPServerError) {
        self.configuration = configuration
        self.router = router
        self.logger = logger
        measuresRequests = configuration.observe != nil
        let grants = configuration.grants
        headerNanoseconds = grants.headerTimeout.nanoseconds
        keepAliveNanoseconds = grants.keepAliveTimeout.nanoseconds
        var certificates: TLSCertificates?
        if let files = configuration.tls {
            certificates = try TLSCertificates(files, handshakeMax: grants.headerTimeout)
        }
        self.certificates = certificates
        table = ConnectionTable(
            threads: max(1, configuration.eventThreads),
            perClientMax: grants.connectionsPerClientMax,
            certificates: certificates
        )
        watcher = try Watcher()
        // Work on an answer that was begun is never refused: beyond what may wait, each connection may have one such
        // job.
        workers = WorkerPool(
            name: "http-work",
            threadCountMax: configuration.workers,
            waitingCountMax: configuration.waitingMax + grants.connectionsMax
        )
        streamWorkers = WorkerPool(
            name: "http-stream",
            threadCountMax: configuration.workers,
            waitingCountMax: configuration.waitingMax
        )
        clock = Atomic(TimeSource.system.now.nanoseconds)
    }

    // MARK: Time and marks

    /// Right within a fifth of a second; costs one load.
    var now: Int64 { clock.load(ordering: .relaxed) }

    func tick() -> Int64 {
        let now = time.now.nanoseconds
        clock.store(now, ordering: .relaxed)
        return now
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }
    var isStopping: Bool { stopping.load(ordering: .sequentiallyConsistent) }
    var activeCount: Int { active.load(ordering: .relaxed) }
    var suspendedCount: Int { suspended.load(ordering: .sequentiallyConsistent) }
    func suspendedCountChanged(by change: Int) { suspended.wrappingAdd(change, ordering: .sequentiallyConsistent) }
    func beginDraining() { draining.store(true, ordering: .relaxed) }
    func beginStopping() { stopping.store(true, ordering: .sequentiallyConsistent) }

    // MARK: Connections and requests

    var hasRoom: Bool { table.count < configuration.grants.connectionsMax }

    func admit(_ accepted: Int32, _ peer: PeerAddress, now: Int64) {
        let descriptor = balanced(accepted)
        let client = peer.client
        let isTrusted = configuration.trustedProxies.contains { $0.contains(client.address) }
        let record = table.admit(
            descriptor,
            client,
            isTrustedProxy: isTrusted,
            deadline: now + headerNanoseconds
        )
        guard let record else {
            _ = FileDescriptor(owning: descriptor)
            logger.debug("a client has as many connections as it may", ["client": client])
            return
        }
        SocketOptions.prepare(descriptor)
        watcher.watch(record)
        let isAdded = daemon.withLock { daemon in
            guard let daemon else { return false }
            return peer.withBytes { daleks_mhd_add_connection(daemon.raw, descriptor, $0, $1) } != 0
        }
        // The daemon closed the socket where it did not take it.
        if !isAdded { table.remove(record) }
    }

    /// The same socket under a number that spreads connections evenly over the event threads, where one is found soon.
    private func balanced(_ descriptor: Int32) -> Int32 {
        var best = descriptor
        var others: [Int32] = []
        for _ in 0..<configuration.eventThreads where table.isUnbalanced(by: best) {
            let next = SocketCalls.duplicate(best)
            guard next >= 0 else { break }
            others.append(best)
            best = next
        }
        // Closed only now, so that no try gets a number that was tried.
        for other in others { _ = FileDescriptor(owning: other) }
        return best
    }

    func begin(_ record: ConnectionRecord, target: UnsafePointer<CChar>?) -> Exchange {
        let exchange = Exchange(self, record, target: target.flatMap { RawTarget($0) })
        record.arm(now: now, headerNanoseconds)
        record.begin(exchange)
        active.wrappingAdd(1, ordering: .relaxed)
        return exchange
    }

    func exchangeEnded() { active.wrappingSubtract(1, ordering: .relaxed) }

    func peerClosed(_ descriptor: Int32, _ generation: UInt32, now: Int64) {
        guard let record = table.record(descriptor), record.generation == generation else { return }
        record.markPeerClosed()
        record.exchange?.clientWentAway()
        if record.currentDeadline != ConnectionRecord.never {
            record.arm(now: now, ConnectionRecord.lastBytesNanoseconds)
        }
    }

    func sweep(now: Int64) {
        for record in table.sweep(now: now) { record.exchange?.look(now: now) }
    }

    // MARK: Work

    /// False where as much is waiting as may.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        workers.waitingCount < configuration.waitingMax && workers.submit(job)
    }

    /// The same where the handler reads a body that is still to come.
    func submitStream(_ job: @escaping @Sendable () -> Void) -> Bool { streamWorkers.submit(job) }

    /// More of an answer that was begun.
    var submitContinuation: @Sendable (@escaping @Sendable () -> Void) -> Bool {
        { [workers] job in workers.submit(job) }
    }

    func closeWorkers() {
        streamWorkers.close()
        workers.close()
    }

    // MARK: The daemon

    /// In the words of GnuTLS: keys that are agreed on anew each time, so that who steals ours opens nothing of before,
    /// and ciphers that notice changes. Everything of the last ten years knows some of them.
    private static let priorities =
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM"

    func startDaemon() throws(HTTPServerError) {
        var options = daleks_mhd_options()
        var flags = MHD_USE_EPOLL_INTERNAL_THREAD.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
        flags |= MHD_USE_TURBO.rawValue
        if certificates != nil { flags |= MHD_USE_TLS.rawValue }
        options.flags = flags
        // The server stops the daemon before it lets its core go, so C borrows it.
        options.context = Unmanaged.passUnretained(self).toOpaque()
        options.access = Callbacks.access
        options.target = Callbacks.target
        options.completed = Callbacks.completed
        options.connection = Callbacks.connection
        options.unescape = Callbacks.unescape
        if certificates != nil { options.certificate = Callbacks.certificate }
        let grants = configuration.grants
        let threads = max(1, configuration.eventThreads)
        options.threads = UInt32(threads)
        // Each thread takes its share of connections; we count the whole, so the share may be exceeded.
        options.connections_max = UInt32(grants.connectionsMax * threads)
        let silence = max(grants.stallTimeout, grants.keepAliveTimeout)
        options.timeout_seconds = UInt32(max(1, (silence.milliseconds + 999) / 1_000))
        options.arena_bytes = grants.headerBytesMax + Limits.HTTPServer.arenaExtraBytes
        let raw = Self.priorities.withCString { priorities in
            options.tls_priorities = priorities
            return daleks_mhd_start(&options)
        }
        guard let raw else { throw .cannotStart("libmicrohttpd refuses to start its threads") }
        let daemon = Daemon(raw: raw)
        self.daemon.withLock { $0 = daemon }
    }

    func stopDaemon() {
        let daemon = daemon.withLock { daemon in
            let taken = daemon
            daemon = nil
            return taken
        }
        if let daemon { MHD_stop_daemon(daemon.raw) }
    }
}
