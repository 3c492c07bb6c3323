import DaleksCore
import DaleksSystem
import Glibc

/// One connection that does nothing but listen, and the thread that looks after it.
///
/// ## Concurrency
/// `state` is guarded by its condition. The connection belongs to the thread alone; others change `state` and wake it
/// through the pipe. Subscribers are called by the thread, with no lock held.
final class NotificationListener: Sendable {
    private typealias Receiver = @Sendable (PostgresNotification) -> Void

    private struct Subscriber {
        let id: UInt64
        let receive: Receiver
        /// It is told of losses only after it was told that it listens.
        var isEstablished = false
    }

    private struct State {
        var subscribers: [String: [Subscriber]] = [:]
        /// Channels that the present connection listens on.
        var established: Set<String> = []
        var nextID: UInt64 = 1
        var isStarted = false
        var isClosed = false
        var lastFailure: PostgresError?

        mutating func mark(_ channel: String, _ id: UInt64) {
            guard let index = subscribers[channel]?.firstIndex(where: { $0.id == id }) else { return }
            subscribers[channel]?[index].isEstablished = true
        }
    }

    private let url: PostgresURL
    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let state = Condition(State())
    private let waker: Waker

    init(url: PostgresURL, _ configuration: PostgresConfiguration, _ logger: Logger) {
        self.url = url
        self.configuration = configuration
        self.logger = logger
        waker = Waker()
    }

    /// Returns when the server listens for us, or throws when it does not in time.
    func listen(
        _ channel: String,
        _ receive: @escaping @Sendable (PostgresNotification) -> Void
    ) throws(PostgresError) -> PostgresSubscription {
        precondition(Self.isChannel(channel), "a channel is 1…63 lower-case letters, digits or _")
        let (id, mustStart) = state.withLock { state in
            defer {
                state.nextID += 1
                state.isStarted = true
            }
            state.subscribers[channel, default: []].append(Subscriber(id: state.nextID, receive: receive))
            return (state.nextID, !state.isStarted)
        }
        let subscription = PostgresSubscription { [weak self] in self?.end(channel, id) }
        if mustStart { _ = Thread(name: "pg-listen") { self.work() } }
        waker.wake()
        // Dropping the subscription on the way out ends what did not come about.
        let timeout = configuration.connectTimeout + configuration.waitTimeout
        let outcome: Result<Void, PostgresError>? = state.wait(timeout: timeout) {
            state -> Result<Void, PostgresError>? in
            if state.isClosed { return .failure(Self.closed) }
            guard state.established.contains(channel) else { return nil }
            state.mark(channel, id)
            return .success(())
        }
        guard let outcome else {
            let reason = state.withLock { $0.lastFailure }
            throw reason ?? PostgresError(.timedOut, "the database did not listen in time")
        }
        try outcome.get()
        return subscription
    }

    func close() {
        state.withLock { $0.isClosed = true }
        state.broadcast()
        waker.wake()
    }

    private func end(_ channel: String, _ id: UInt64) {
        state.withLock { state in
            state.subscribers[channel]?.removeAll { $0.id == id }
            if state.subscribers[channel]?.isEmpty == true { state.subscribers[channel] = nil }
        }
        waker.wake()
    }

    /// What needs no quoting.
    private static func isChannel(_ name: String) -> Bool {
        (1...Limits.Postgres.channelBytesMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }

    // MARK: - The thread

    private func work() {
        var delay = Limits.Postgres.reconnectDelayFirst
        while !isClosed {
            do throws(PostgresError) {
                let session = try Session.open(url, configuration, until: nil)
                // Who is told that it listens on this connection has missed nothing, and must not be among these.
                let losers = established()
                try followChannels(session)
                for receive in losers { receive(.mayHaveMissed) }
                delay = Limits.Postgres.reconnectDelayFirst
                try serve(session)
            } catch {
                logger.info("database listener reconnects", ["database": url, "reason": error.message])
                state.withLock { state in
                    state.established = []
                    state.lastFailure = error
                }
                _ = state.wait(timeout: delay) { $0.isClosed ? true : nil }
                delay = min(delay * 2, Limits.Postgres.reconnectDelayMax)
            }
        }
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Returns when the listener was closed.
    private func serve(_ session: Session) throws(PostgresError) {
        var lastHeard = TimeSource.system.now
        while !isClosed {
            let events = waker.wait(with: session.descriptor, timeout: configuration.healthCheckAfter)
            if events.isReadable {
                guard session.readUnasked() else { throw Self.broken }
                lastHeard = TimeSource.system.now
            } else if TimeSource.system.now - lastHeard >= configuration.healthCheckAfter {
                // A peer that vanished without a word would otherwise stay silent for ever.
                guard session.answers(within: Limits.Postgres.cancelGrace) else { throw Self.broken }
                lastHeard = TimeSource.system.now
            }
            if events.isWoken { try followChannels(session) }
            deliverAll(session)
        }
    }

    private static let closed = PostgresError(.closed, "the database pool is closed")
    private static let broken = PostgresError(.connectionLost, "the listening connection broke")

    /// Makes the server listen for exactly those channels that have subscribers.
    private func followChannels(_ session: Session) throws(PostgresError) {
        let (added, removed) = state.withLock { state in
            let wanted = Set(state.subscribers.keys)
            return (wanted.subtracting(state.established), state.established.subtracting(wanted))
        }
        let statements = added.map { "LISTEN \($0)" } + removed.map { "UNLISTEN \($0)" }
        for statement in statements { try session.command(statement) }
        // What came before the others are told that they listen is not for them.
        deliverAll(session)
        state.withLock { $0.established = $0.established.union(added).subtracting(removed) }
        state.broadcast()
    }

    private func deliverAll(_ session: Session) {
        while let (channel, payload) = session.nextNotification() {
            let receivers = state.withLock { $0.subscribers[channel, default: []].map(\.receive) }
            for receive in receivers { receive(.payload(payload)) }
        }
    }

    /// Those who listened on a connection before.
    private func established() -> [Receiver] {
        state.withLock { state in
            state.subscribers.values.joined().filter(\.isEstablished).map(\.receive)
        }
    }
}
