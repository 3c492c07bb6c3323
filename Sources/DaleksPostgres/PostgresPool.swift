import DaleksCore
public import DaleksSystem

/// Connections to one database, lent one at a time to whoever calls.
///
/// All calls block: for a connection, for the server, between attempts. Callers use worker threads. A body that calls
/// the pool again takes a second connection while it holds the first; do not, or all may wait for each other.
///
/// ## Concurrency
/// `state` guards who has what; connecting, closing and every statement happen with no lock held. A connection belongs
/// to one thread from `checkOut` to `checkIn`. Waiting callers are served in the order in which they came.
public final class PostgresPool: Sendable {
    private struct State {
        /// The youngest is last and goes first, so that a quiet pool shrinks from the front.
        var idle: [Session] = []
        /// Lent, idle or about to be opened.
        var openCount = 0
        var waiters: [Waiter] = []
        var isClosed = false
    }

    /// What a caller may get.
    private enum Grant: Sendable {
        case session(Session)
        /// The right to open one more.
        case capacity
        case closed
    }

    /// A caller in the queue. Whoever takes it out of the queue owes it a grant.
    private final class Waiter: Sendable {
        let grant = Condition<Grant?>(nil)
    }

    public struct Statistics: Sendable {
        public let openCount: Int
        public let idleCount: Int
        public let waitingCount: Int
    }

    public let url: PostgresURL
    let configuration: PostgresConfiguration
    let logger: Logger
    private let state = Lock(State())
    private let listener: NotificationListener

    /// Connects once, migrates, and keeps that connection.
    public static func open(
        url text: String,
        configuration: PostgresConfiguration,
        migrations: [Migration],
        logger: Logger
    ) throws(PostgresError) -> PostgresPool {
        let pool = PostgresPool(url: try PostgresURL(text), configuration, logger)
        let session = try pool.checkOut(until: nil)
        defer { pool.checkIn(session) }
        try Migrator(migrations, owner: configuration.applicationName, logger: logger).run(on: session)
        return pool
    }

    private init(url: PostgresURL, _ configuration: PostgresConfiguration, _ logger: Logger) {
        precondition(
            (1...Limits.Postgres.connectionCountMax).contains(configuration.connectionCountMax),
            "a pool has 1…\(Limits.Postgres.connectionCountMax) connections"
        )
        precondition(configuration.attemptCountMax > 0, "a transaction needs an attempt")
        self.url = url
        self.configuration = configuration
        self.logger = logger
        listener = NotificationListener(url: url, configuration, logger)
        if url.isRemote, !url.isVerified {
            logger.warning("the database's server is not verified; add sslmode=verify-full", ["database": url])
        }
    }

    deinit { close() }

    /// Lends no more connections, and closes each as it comes back.
    public func close() {
        let (idle, waiters) = state.withLock { state in
            state.isClosed = true
            defer {
                state.idle = []
                state.waiters = []
            }
            state.openCount -= state.idle.count
            return (state.idle, state.waiters)
        }
        for waiter in waiters { deliver(.closed, to: waiter) }
        _ = idle  // The last references: their connections close here, outside the lock.
        listener.close()
    }

    /// For gauges.
    public var statistics: Statistics {
        state.withLock { state in
            Statistics(openCount: state.openCount, idleCount: state.idle.count, waitingCount: state.waiters.count)
        }
    }

    /// Calls `receive` with what others send to the channel, on a connection of its own that reconnects by itself.
    /// Whoever reads the tables after this returned misses nothing. See `PostgresNotification` for what may be missed
    /// later. `receive` runs on the listener's thread and must not block.
    public func listen(
        _ channel: String,
        _ receive: @escaping @Sendable (PostgresNotification) -> Void
    ) throws(PostgresError) -> PostgresSubscription {
        try listener.listen(channel, receive)
    }

    // MARK: - Lending

    func checkOut(until deadline: Instant?) throws(PostgresError) -> Session {
        let started = TimeSource.system.now
        let patience = min(started + configuration.waitTimeout, deadline ?? started + configuration.waitTimeout)
        switch try grant(until: patience) {
        case .closed: throw PostgresError(.closed, "the database pool is closed")
        case .capacity: return try openSession(until: deadline)
        case .session(let session):
            if isHealthy(session) { return session }
            // Its place is ours: nobody else counts on it.
            logger.debug("database connection was stale")
            return try openSession(until: deadline)
        }
    }

    func checkIn(_ session: Session) {
        let now = TimeSource.system.now
        let isWorn = now - session.openedAt > configuration.lifetime
        guard session.isReusable, !isWorn else { return giveBack(.capacity) }
        session.idleSince = now
        session.isReused = true
        session.deadline = nil
        giveBack(.session(session))
    }

    private func grant(until deadline: Instant) throws(PostgresError) -> Grant {
        let waiter = Waiter()
        let immediate: Grant? = try state.withLock { state throws(PostgresError) -> sending Grant? in
            if state.isClosed { return .closed }
            // While others wait nothing is free, but for the moment in which it is handed over to them.
            if state.waiters.isEmpty {
                if let session = state.idle.popLast() { return .session(session) }
                if state.openCount < configuration.connectionCountMax {
                    state.openCount += 1
                    return .capacity
                }
            }
            guard state.waiters.count < Limits.Postgres.waitingCountMax else { throw Self.exhausted }
            state.waiters.append(waiter)
            return nil
        }
        if let immediate { return immediate }
        if let grant = waiter.grant.wait(timeout: deadline - TimeSource.system.now, until: { $0 }) { return grant }
        let isWithdrawn = state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0 === waiter }) else { return false }
            state.waiters.remove(at: index)
            return true
        }
        // Somebody took us out of the queue in that very moment, and the grant is on its way.
        guard !isWithdrawn, let late = waiter.grant.wait(until: { $0 }) else { throw Self.exhausted }
        return late
    }

    private static var exhausted: PostgresError {
        PostgresError(.poolExhausted, "every connection to the database stayed in use")
    }

    private func giveBack(_ grant: Grant) {
        let now = TimeSource.system.now
        let (waiter, retired): (Waiter?, [Session]) = state.withLock { state in
            if state.isClosed {
                state.openCount -= 1
                return (nil, [])
            }
            if !state.waiters.isEmpty { return (state.waiters.removeFirst(), []) }
            switch grant {
            case .session(let session): state.idle.append(session)
            case .capacity, .closed: state.openCount -= 1
            }
            let retiredCount = state.idle.prefix { now - $0.idleSince > configuration.idleLifetime }.count
            let retired = Array(state.idle.prefix(retiredCount))
            state.idle.removeFirst(retiredCount)
            state.openCount -= retiredCount
            return (nil, retired)
        }
        if let waiter { deliver(grant, to: waiter) }
        _ = retired  // The last references: their connections close here, outside the lock.
    }

    private func deliver(_ grant: Grant, to waiter: Waiter) {
        waiter.grant.withLock { $0 = grant }
        waiter.grant.signal()
    }

    private func openSession(until deadline: Instant?) throws(PostgresError) -> Session {
        do throws(PostgresError) {
            let session = try Session.open(url, configuration, until: deadline)
            logger.debug("database connection opened", ["database": url, "process": session.serverProcessID])
            return session
        } catch {
            giveBack(.capacity)
            logger.info("database connection failed", ["database": url, "reason": error.message])
            throw error
        }
    }

    private func isHealthy(_ session: Session) -> Bool {
        guard session.looksAlive() else { return false }
        let idle = TimeSource.system.now - session.idleSince
        return idle < configuration.healthCheckAfter || session.answers(within: Limits.Postgres.cancelGrace)
    }
}
