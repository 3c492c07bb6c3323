import DaleksSystem

/// News that is in the replica already and of which the kernel is still being told.
///
/// ## Concurrency
/// `state` is held for arithmetic; calls back with nothing held.
final class Announcements: Sendable {
    private struct State {
        var count = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let state = Lock(State())

    func begin() { state.withLock { $0.count += 1 } }

    func end() {
        let waiting = state.withLock { state -> [@Sendable () -> Void] in
            state.count -= 1
            guard state.count == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for body in waiting { body() }
    }

    /// Calls back, at once or later, when the observer has been told of whatever was in the replica by now.
    func whenOver(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if state.count > 0 { state.waiting.append(body) }
            return state.count == 0
        }
        if isOver { body() }
    }
}
