import DaleksSystem

/// What to call when a parked request is interrupted, by number.
///
/// ## Concurrency
/// Handlers are called with no lock of ours held, on the thread that received the interruption, and at most once.
final class InterruptTable: Sendable {
    private struct State {
        var keyLast: UInt64 = 0
        var handlers: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = Lock(State())

    func add(_ handler: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.keyLast += 1
            state.handlers[state.keyLast] = handler
            return state.keyLast
        }
    }

    func remove(_ key: UInt64) {
        // Taken out under the lock and freed after it: freeing a closure can run any deinit.
        _ = take(key)
    }

    func fire(_ key: UInt64) { take(key)?() }

    var count: Int { state.withLock { $0.handlers.count } }

    private func take(_ key: UInt64) -> (@Sendable () -> Void)? {
        state.withLock { $0.handlers.removeValue(forKey: key) }
    }
}
