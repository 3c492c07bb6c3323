import DaleksSystem

/// What a subscriber hears.
public enum PostgresNotification: Hashable, Sendable {
    /// Somebody's `notify`, in the order in which the transactions committed.
    case payload(String)
    /// The connection broke and is back. What was sent in between is lost: look at the tables.
    case mayHaveMissed
}

/// Goes on listening until it is canceled or dropped.
public final class PostgresSubscription: Sendable {
    private let end: @Sendable () -> Void
    private let isCanceled = Lock(false)

    init(end: @escaping @Sendable () -> Void) { self.end = end }

    deinit { cancel() }

    /// A call that is under way on the listener's thread may still finish after this.
    public func cancel() {
        let isFirst = isCanceled.withLock { isCanceled in
            defer { isCanceled = true }
            return !isCanceled
        }
        if isFirst { end() }
    }
}
