import DaleksCore
public import DaleksSystem

/// An HTTP server: event threads that move bytes, workers that run handlers, and one thread that watches.
///
/// ## Concurrency
/// `state` says how far it is; starting and stopping are done by one caller at a time, all else is `ServerCore`'s.
public final class HTTPServer: Sendable {
    private enum State {
        case idle
        case running
        case stopped
    }

    private let core: ServerCore
    private let listening: ListeningSocket
    private let state = Lock(State.idle)

    /// Takes the address, unless it was taken before, and reads the certificate, so that both fail here; nobody is
    /// served yet.
    public init(
        _ configuration: HTTPServerConfiguration,
        listening: ListeningSocket? = nil,
        router: Router,
        logger: Logger
    ) throws(HTTPServerError) {
        core = try ServerCore(configuration, router, logger)
        if let listening {
            self.listening = listening
        } else {
            self.listening = try ListeningSocket(address: configuration.address, port: configuration.port)
        }
    }

    deinit { stop() }

    public var port: UInt16 { listening.port }

    /// Connections that are open, parked ones included.
    public var connectionCount: Int { core.table.count }
    /// Requests that are not answered yet.
    public var activeCount: Int { core.activeCount }

    /// Handlers that run, and those that wait for a worker.
    public var busyCount: Int { core.workers.busyCount }
    public var waitingCount: Int { core.workers.waitingCount }

    /// Serves from now on. A server starts once.
    public func start() throws(HTTPServerError) {
        let isFirst = state.withLock { state in
            guard case .idle = state else { return false }
            state = .running
            return true
        }
        precondition(isFirst, "a server starts once")
        // Besides connections, answers hold files, and the rest of the process has its own.
        SocketOptions.raiseDescriptorLimit(to: core.configuration.grants.connectionsMax * 2 + 1_024)
        try core.startDaemon()
        do throws(HTTPServerError) {
            try core.watcher.start(core, listening)
        } catch {
            stop()
            throw error
        }
    }

    /// New handshakes get the certificate that is in the files now. When this throws, they get the one they got before.
    public func reloadCertificates() throws(HTTPServerError) {
        try core.certificates?.reload(now: core.time.now)
    }

    /// Takes no more connections, answers what was asked, ends what is parked (503) and what is a feed, and stops.
    /// After `timeout` it stops in the middle of what is left.
    public func drain(timeout: Duration) {
        guard state.withLock({ $0 == .running }) else { return stop() }
        core.beginDraining()
        core.watcher.stopAccepting()
        SocketOptions.stopListening(listening.descriptor)
        let deadline = core.time.now + timeout
        let pause = Gate()
        while core.time.now < deadline {
            for exchange in core.table.exchanges { exchange.shed() }
            core.table.shutIdle()
            if core.activeCount == 0 { break }
            pause.wait(timeout: .milliseconds(10))
        }
        stop()
    }

    /// Closes every connection and returns when no thread of the server runs, but for workers whose handlers still
    /// block after some seconds.
    public func stop() {
        let wasRunning = state.withLock { state in
            defer { state = .stopped }
            return state == .running
        }
        guard wasRunning else { return }
        core.watcher.stop()
        core.beginStopping()
        // libmicrohttpd must not be stopped with suspended connections.
        let pause = Gate()
        repeat {
            for exchange in core.table.exchanges { exchange.abandon() }
            if core.suspendedCount > 0 { pause.wait(timeout: .milliseconds(2)) }
        } while core.suspendedCount > 0
        core.stopDaemon()
        let (core, workersGone) = (core, Gate())
        _ = Thread(name: "http-stop", stackBytes: 256 << 10) {
            core.closeWorkers()
            workersGone.open()
        }
        workersGone.wait(timeout: .seconds(5))
    }
}
