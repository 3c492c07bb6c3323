#if DALEKS_SANITIZE
import Glibc

/// A mutual exclusion around one value.
///
/// ## Concurrency
/// Sanitizer builds use a pthread mutex, which the thread sanitizer understands; `Synchronization.Mutex`, which it
/// does not, gives false reports there. The two behave alike.
public final class Lock<State: ~Copyable>: @unchecked Sendable {
    // Unchecked: every access to `state` holds `mutex`, and `mutex` never moves, being allocated by itself.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    public init(_ state: consuming sending State) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        self.state = state
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}
#else
public import Synchronization

/// A mutual exclusion around one value.
///
/// Hold it for arithmetic, never for I/O, a reply or a callback. It is not recursive.
public final class Lock<State: ~Copyable>: Sendable {
    @usableFromInline let mutex: Mutex<State>

    // What is used everywhere with every kind of state is specialised where it is used.
    @inlinable public init(_ state: consuming sending State) {
        mutex = Mutex(state)
    }

    @inlinable public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock(body)
    }
}
#endif
