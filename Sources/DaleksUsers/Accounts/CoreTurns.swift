import DaleksSystem

/// Who may use a core: as many at a time as there are, in the order in which they came.
///
/// ## Concurrency
/// `state` is guarded by itself; the work runs with no lock held. Whoever came has a number, and everybody below
/// `finished + coreCount` may work, so that nobody overtakes.
final class CoreTurns: Sendable {
    private struct State {
        var taken = 0
        var finished = 0
    }

    private let coreCount: Int
    private let state = Condition(State())

    init(coreCount: Int) { self.coreCount = coreCount }

    func run<Result, Failure: Error>(_ work: () throws(Failure) -> Result) throws(Failure) -> Result {
        let number = state.withLock { state in
            state.taken += 1
            return state.taken
        }
        state.waitThrowing(until: { [coreCount] in number <= $0.finished + coreCount }) { _ in }
        defer {
            state.withLock { $0.finished += 1 }
            state.broadcast()
        }
        return try work()
    }
}
