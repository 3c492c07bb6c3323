import DaleksSystem
import Glibc

/// Whether changes may be sent now, and who is sending some.
///
/// Nothing new is sent once `pause` has returned: whoever sends comes in first, and who comes in and who is kept out is
/// decided at one instant. What is on its way by then is waited for, but not for ever: the region may be slow to
/// answer, and then that one request is all that is still under way.
///
/// ## Concurrency
/// `state` is guarded by its condition. A thread that is in may come in again, and does not wait for itself.
final class Sending: Sendable {
    private struct State {
        var isPaused = false
        var isStopping = false
        /// How often each thread is in.
        var counts: [pthread_t: Int] = [:]
    }

    /// A request of the largest size is through in that time on any line that is worth having; who pauses has a
    /// terminal in front of him.
    static let limit: Duration = .seconds(10)

    private let state = Condition(State())

    var isPaused: Bool { state.withLock { $0.isPaused } }

    /// Runs `body`, which sends something, or answers nil where nothing may be sent.
    func unlessPaused<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result? {
        let thread = pthread_self()
        let isIn = state.withLock { state in
            guard !state.isPaused, !state.isStopping else { return false }
            state.counts[thread, default: 0] += 1
            return true
        }
        guard isIn else { return nil }
        defer { leave(thread) }
        return try body()
    }

    private func leave(_ thread: pthread_t) {
        let isOut = state.withLock { state in
            let left = (state.counts[thread] ?? 1) - 1
            state.counts[thread] = left > 0 ? left : nil
            return left <= 0
        }
        if isOut { state.broadcast() }
    }

    /// Keeps everybody out, and waits up to `limit` for those who are in. False where some are in still.
    @discardableResult
    func pause(waitingUpTo limit: Duration = Sending.limit) -> Bool {
        state.withLock { $0.isPaused = true }
        return waitUntilQuiet(upTo: limit)
    }

    /// Waits for those who are in, while it is paused.
    @discardableResult
    func waitUntilQuiet(upTo limit: Duration) -> Bool {
        let thread = pthread_self()
        return state.wait(timeout: limit) { state in
            // Who lets everybody in again meanwhile is obeyed as well.
            !state.isPaused || state.counts.keys.allSatisfy { $0 == thread } ? true : nil
        } ?? false
    }

    func resume() {
        state.withLock { $0.isPaused = false }
        state.broadcast()
    }

    /// Nobody comes in any more.
    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
    }

    /// Waits a while, but no longer than it is paused.
    func waitWhilePaused(upTo limit: Duration) {
        _ = state.wait(timeout: limit) { $0.isPaused && !$0.isStopping ? nil : true }
    }
}
