import DaleksCore
public import Glibc

/// A value guarded by a mutex, and threads that wait until it changes.
///
/// ## Concurrency
/// `state` is touched only with `mutex` held. Waiters are woken by `signal`/`broadcast`, and always check again.
public final class Condition<State>: @unchecked Sendable {
    // Unchecked: the mutex guards `state`; both C objects are allocated by themselves and never move.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let condition: UnsafeMutablePointer<pthread_cond_t>
    @usableFromInline var state: State

    public init(_ state: sending State) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        self.state = state
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inlinable public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Waits until `body` returns a value; it is asked at once and after each wake-up. Nil when `timeout` passed, which
    /// is counted while the machine is awake.
    @inlinable public func wait<Result>(timeout: Duration? = nil, until body: (inout State) -> Result?) -> Result? {
        // No default argument: its closure is allocated for each call, and leaks in a loop that never ends.
        wait(timeout: timeout, until: body, whileWaiting: Self.ignore)
    }

    @usableFromInline static func ignore(_ state: inout State, _ change: Int) {}

    /// The same; `whileWaiting` is told +1 before this thread sleeps and -1 after, under the lock.
    @inlinable public func wait<Result>(
        timeout: Duration? = nil,
        until body: (inout State) -> Result?,
        whileWaiting: (inout State, Int) -> Void
    ) -> Result? {
        let deadline = timeout.map(Self.deadline)
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            whileWaiting(&state, 1)
            let isTimeOver = sleep(until: deadline)
            whileWaiting(&state, -1)
            if isTimeOver { return body(&state) }
        }
    }

    /// Waits until `isReady`, then runs `body` under the same lock.
    @inlinable public func waitThrowing<Result, Failure: Error>(
        until isReady: (State) -> Bool,
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isReady(state) { pthread_cond_wait(condition, mutex) }
        return try body(&state)
    }

    /// Gives the mutex back while asleep. True when the deadline ended it.
    @usableFromInline func sleep(until deadline: timespec?) -> Bool {
        guard var deadline else {
            pthread_cond_wait(condition, mutex)
            return false
        }
        return pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT
    }

    @inlinable public func signal() { pthread_cond_signal(condition) }
    @inlinable public func broadcast() { pthread_cond_broadcast(condition) }

    @usableFromInline static func deadline(_ timeout: Duration) -> timespec {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        // A year is as good as for ever and cannot overflow.
        let nanoseconds = min(max(0, timeout.nanoseconds), 31_536_000_000_000_000) + Int64(now.tv_nsec)
        return timespec(
            tv_sec: now.tv_sec + Int(nanoseconds / 1_000_000_000),
            tv_nsec: Int(nanoseconds % 1_000_000_000)
        )
    }
}

/// A door that opens once; whoever waits goes through then and ever after.
public final class Gate: Sendable {
    private let condition = Condition(false)

    public init() {}

    public func open() {
        condition.withLock { $0 = true }
        condition.broadcast()
    }

    public var isOpen: Bool { condition.withLock { $0 } }

    /// False when the time passed first.
    @discardableResult
    public func wait(timeout: Duration? = nil) -> Bool {
        condition.wait(timeout: timeout) { $0 ? true : nil } ?? false
    }
}
