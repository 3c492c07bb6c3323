public import DaleksSystem
import Glibc

/// A TCP proxy on 127.0.0.1 that stands for the network between a program and a service, with its distance and its
/// faults. Everything can be changed while connections run.
///
/// ## Concurrency
/// `faults`, `counters` and `connections` have a lock each, never held together. One thread accepts; each connection
/// has four of its own. Connecting costs no round trip: the proxy is near, only the bytes travel.
public final class FaultProxy: Sendable {
    /// What happens to the bytes that go one way.
    public struct Direction: Sendable, Equatable {
        /// How long each byte is under way. It is a delay line: bandwidth stays what it was.
        public var delay = Duration.zero
        public var bytesPerSecond: Int?
        /// Both ends get a reset after so many bytes of a connection.
        public var resetAfterBytes: Int?
        /// The receiver sees an orderly end after so many bytes of a connection.
        public var truncateAfterBytes: Int?
        /// The bits of this byte of each connection, counted from 0, are turned over.
        public var corruptedByte: Int?
        /// Nothing is passed on, and soon nothing more is read, until this is false again.
        public var isStalled = false

        public init() {}
    }

    public struct Faults: Sendable, Equatable {
        public var toServer = Direction()
        public var toClient = Direction()
        /// Everything is read and lost, in both directions, the ends of streams too.
        public var isBlackhole = false

        public init() {}
    }

    public struct Counters: Sendable, Equatable {
        /// Accepted since the start.
        public var connections = 0
        /// Passed on.
        public var bytesToServer = 0
        public var bytesToClient = 0
    }

    public let port: UInt16
    private let upstreamPort: Lock<UInt16>
    private let current = Lock(Faults())
    private let counted = Lock(Counters())
    private let connections = Lock<[ObjectIdentifier: ProxyConnection]>([:])
    private let acceptor: Condition<Acceptor>
    private let wakeEnds: [Int32]

    private struct Acceptor {
        var mustListen = true
        var isListening = true
        var mustEnd = false
        var hasEnded = false
    }

    /// Starts at once; `upstreamPort` is asked only when somebody connects.
    public init(upstreamPort: UInt16) throws(Errno) {
        let listener = try LoopbackSocket.listen()
        port = try LoopbackSocket.port(of: listener)
        self.upstreamPort = Lock(upstreamPort)
        acceptor = Condition(Acceptor())
        wakeEnds = try LoopbackSocket.pair()
        let raw = listener.release()
        _ = Thread(name: "fault-accept") { [self] in acceptUntilEnd(FileDescriptor(owning: raw)) }
    }

    deinit { for end in wakeEnds { _ = Glibc.close(end) } }

    public var faults: Faults { current.withLock { $0 } }
    public var counters: Counters { counted.withLock { $0 } }
    public var openConnectionCount: Int { connections.withLock { $0.count } }

    public func set(_ change: (inout Faults) -> Void) {
        // Changed outside the lock: one test thread sets, many read.
        var faults = faults
        change(&faults)
        current.withLock { [faults] in $0 = faults }
        for connection in connections.withLock({ Array($0.values) }) { connection.faultsChanged() }
    }

    /// Whom connections from now on lead to: for a server that must know our port before it has its own.
    public func setUpstream(_ port: UInt16) { upstreamPort.withLock { $0 = port } }

    /// Distance: half of the round trip each way.
    public func setRoundTrip(_ time: Duration) {
        set { faults in
            faults.toServer.delay = time / 2
            faults.toClient.delay = time / 2
        }
    }

    /// Nobody listens while true: connecting is refused. Connections that exist go on. True once it returns.
    public func setRefusing(_ isRefusing: Bool) {
        acceptor.withLock { $0.mustListen = !isRefusing }
        wake()
        _ = acceptor.wait { $0.isListening != isRefusing || $0.hasEnded ? true : nil }
    }

    /// Resets every connection there is.
    public func resetConnections() {
        for connection in connections.withLock({ Array($0.values) }) { connection.reset() }
    }

    /// Stops accepting and resets everything. Must be called, or its thread lives on.
    public func stop() {
        acceptor.withLock { $0.mustEnd = true }
        wake()
        _ = acceptor.wait { $0.hasEnded ? true : nil }
        resetConnections()
    }

    // MARK: What the connections report

    func passed(_ count: Int, toServer: Bool) {
        counted.withLock { counters in
            if toServer { counters.bytesToServer += count } else { counters.bytesToClient += count }
        }
    }

    func ended(_ connection: ProxyConnection) {
        let identity = ObjectIdentifier(connection)
        connections.withLock { $0[identity] = nil }
    }

    // MARK: The accepting thread

    private func wake() {
        var byte: UInt8 = 0
        _ = Glibc.write(wakeEnds[1], &byte, 1)
    }

    private func acceptUntilEnd(_ first: consuming FileDescriptor) {
        var listener: FileDescriptor? = consume first
        while true {
            let (mustEnd, mustListen) = acceptor.withLock { ($0.mustEnd, $0.mustListen) }
            if mustEnd { break }
            if !mustListen {
                listener = nil
            } else if listener == nil {
                // The port is ours; another program taking it meanwhile would be a fault nobody asked for.
                listener = try? LoopbackSocket.listen(port: port)
            }
            acceptor.withLock { $0.isListening = mustListen }
            acceptor.broadcast()
            let raw = listener?.raw ?? -1
            guard waitForWork(raw) else { continue }
            if let client = try? LoopbackSocket.accept(from: raw) { begin(client) }
        }
        listener = nil
        acceptor.withLock { $0.hasEnded = true }
        acceptor.broadcast()
    }

    /// True when somebody wants to connect.
    private func waitForWork(_ listener: Int32) -> Bool {
        var descriptors = [
            pollfd(fd: wakeEnds[0], events: Int16(POLLIN), revents: 0),
            pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&descriptors, 2, -1)
        if descriptors[0].revents != 0 {
            var bytes = [UInt8](repeating: 0, count: 64)
            _ = Glibc.read(wakeEnds[0], &bytes, bytes.count)
        }
        return descriptors[1].revents != 0
    }

    private func begin(_ client: consuming FileDescriptor) {
        counted.withLock { $0.connections += 1 }
        // Nobody upstream: the client sees its connection reset, as behind a broken gateway.
        guard let server = try? LoopbackSocket.connect(port: upstreamPort.withLock({ $0 })),
            let connection = try? ProxyConnection(proxy: self, client: client, server: server)
        else { return }
        connections.withLock { $0[ObjectIdentifier(connection)] = connection }
        connection.start()
    }
}
