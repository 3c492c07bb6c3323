import DaleksCore
import DaleksSystem
import Glibc
import Synchronization

/// Who may use the writer connection: one thread at a time, held through a whole transaction.
///
/// A thread that runs takes a free turn at once, even ahead of threads that wait (waking one costs more than a small
/// transaction), but only `Limits.SQLite.overtakesMax` times in a row.
///
/// ## Concurrency
/// `state` is guarded by itself and held for arithmetic only; the turn itself is held while SQLite works.
final class WriterTurn: Sendable {
    private struct State {
        var owner: pthread_t?
        var waitingCount = 0
        var overtakenCount = 0
        /// A waiting thread was woken and has not looked yet. Waking another meanwhile would only make both look.
        var isWaking = false
        var isClosed = false
    }

    private let timeout: Duration
    private let state = Condition(State())
    /// What `state` says, for a look without its lock.
    private let isOwned = Atomic<Bool>(false)

    init(timeout: Duration) { self.timeout = timeout }

    func take() throws(SQLiteError) {
        let thread = pthread_self()
        if isOwned.load(ordering: .relaxed) { lookForAWhile() }
        var isFirstTry = true
        let isTaken = state.wait(timeout: timeout) { state -> Bool? in
            precondition(state.owner != thread, "a write inside a write of the same database")
            if !isFirstTry { state.isWaking = false }
            defer { isFirstTry = false }
            if state.isClosed { return false }
            guard state.owner == nil else { return nil }
            if isFirstTry, state.waitingCount > 0 {
                guard state.overtakenCount < Limits.SQLite.overtakesMax else { return nil }
                state.overtakenCount += 1
            } else {
                state.overtakenCount = 0
            }
            state.owner = thread
            isOwned.store(true, ordering: .relaxed)
            return true
        } whileWaiting: { state, change in
            state.waitingCount += change
        }
        guard let isTaken else { throw SQLiteError(.busy, "another thread kept the database for \(timeout)") }
        guard isTaken else { throw SQLiteError(.closed, "the database was closed") }
    }

    /// A transaction is mostly over sooner than a thread that sleeps is woken.
    private func lookForAWhile() {
        var (begin, now) = (timespec(), timespec())
        clock_gettime(CLOCK_MONOTONIC, &begin)
        while isOwned.load(ordering: .relaxed) {
            clock_gettime(CLOCK_MONOTONIC, &now)
            let passed = (now.tv_sec - begin.tv_sec) * 1_000_000_000 + now.tv_nsec - begin.tv_nsec
            if passed > Limits.SQLite.turnLookNanoseconds { return }
        }
    }

    /// Whether the calling thread has it.
    var isMine: Bool {
        let thread = pthread_self()
        return state.withLock { $0.owner == thread }
    }

    func release() {
        let wakes = state.withLock { state in
            state.owner = nil
            isOwned.store(false, ordering: .relaxed)
            guard state.waitingCount > 0, !state.isWaking else { return false }
            state.isWaking = true
            return true
        }
        if wakes { state.signal() }
    }

    /// Waits for the present owner and lets nobody in after it. False when that was done before.
    func close() -> Bool {
        let thread = pthread_self()
        let isFirst = state.wait { state -> Bool? in
            precondition(state.owner != thread, "closing a database inside a write")
            state.isWaking = false
            if state.isClosed { return false }
            guard state.owner == nil else { return nil }
            state.isClosed = true
            return true
        } whileWaiting: { state, change in
            state.waitingCount += change
        }
        state.broadcast()
        return isFirst ?? false
    }
}
