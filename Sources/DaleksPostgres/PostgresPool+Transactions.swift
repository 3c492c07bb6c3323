import DaleksCore
import DaleksSystem
import Glibc

extension PostgresPool {
    /// Runs the body in a transaction and returns what it returned once that is committed; a body that throws undoes
    /// it.
    ///
    /// The body runs again, from its beginning, when others got in its way: it must not leave traces outside the
    /// database. That holds also where it caught the error and threw another. `deadline` bounds all of it, waiting and
    /// attempts included; the commit alone is never cut short.
    @discardableResult
    public func transaction<Result>(
        isolation: PostgresIsolation = .readCommitted,
        readOnly: Bool = false,
        deadline: Duration? = nil,
        attemptCountMax: Int? = nil,
        _ body: (borrowing PostgresConnection) throws -> Result
    ) throws -> Result {
        let end = deadline.map { TimeSource.system.now + $0 }
        let begin = "BEGIN ISOLATION LEVEL \(isolation.sql)\(readOnly ? " READ ONLY" : " READ WRITE")"
        var retry = Retry(attemptCountMax: attemptCountMax ?? configuration.attemptCountMax)
        while true {
            let session = try checkOut(until: end)
            session.deadline = end
            let failure: any Error
            do {
                let result = try attempt(session, begin, body)
                checkIn(session)
                return result
            } catch {
                failure = error
            }
            let cause = session.causeOfFailure ?? failure as? PostgresError
            let mayRetry = cause.map { $0.isRetryable || session.wasStale($0) } ?? false
            session.rollback()
            checkIn(session)
            guard mayRetry, let delay = retry.next(random: Random.word()) else { throw failure }
            if let end, TimeSource.system.now + delay >= end { throw failure }
            logger.debug("transaction retried", ["attempt": retry.attempt, "reason": cause?.sqlState ?? "stale"])
            Self.sleep(delay)
        }
    }

    /// Lends a connection without a transaction: each statement commits by itself. Nothing is repeated.
    @discardableResult
    public func withConnection<Result>(
        deadline: Duration? = nil,
        _ body: (borrowing PostgresConnection) throws -> Result
    ) throws -> Result {
        let end = deadline.map { TimeSource.system.now + $0 }
        let session = try checkOut(until: end)
        session.deadline = end
        defer { checkIn(session) }
        return try body(PostgresConnection(session))
    }

    /// One statement by itself.
    public func query(
        _ sql: String,
        _ values: [PostgresValue] = [],
        deadline: Duration? = nil
    ) throws(PostgresError) -> PostgresRows {
        let end = deadline.map { TimeSource.system.now + $0 }
        let session = try checkOut(until: end)
        session.deadline = end
        defer { checkIn(session) }
        return try session.run([PostgresStatement(sql, values)])[0]
    }

    private func attempt<Result>(
        _ session: Session,
        _ begin: String,
        _ body: (borrowing PostgresConnection) throws -> Result
    ) throws -> Result {
        session.announce(begin)
        let result = try body(PostgresConnection(session))
        // Also where the body overlooked an error: a transaction that failed throws here.
        try session.commit()
        return result
    }

    private static func sleep(_ duration: Duration) {
        var rest = timespec(
            tv_sec: Int(duration.nanoseconds / 1_000_000_000),
            tv_nsec: Int(duration.nanoseconds % 1_000_000_000)
        )
        var left = timespec()
        while nanosleep(&rest, &left) == -1, errno == EINTR { rest = left }
    }
}

/// How often a transaction is tried and how long it pauses in between.
struct Retry {
    let attemptCountMax: Int
    private(set) var attempt = 1

    init(attemptCountMax: Int) { self.attemptCountMax = attemptCountMax }

    /// The pause before the next attempt, nil when there is none left. Those who met once must not meet again, so the
    /// pause is drawn evenly from zero to a bound that doubles.
    mutating func next(random: UInt64) -> Duration? {
        guard attempt < attemptCountMax else { return nil }
        let doublings = min(attempt - 1, 20)
        attempt += 1
        let first = Limits.Postgres.retryDelayFirst.nanoseconds
        let bound = min(first << Int64(doublings), Limits.Postgres.retryDelayMax.nanoseconds)
        return .nanoseconds(Int64(random % UInt64(bound)))
    }
}
