import DaleksCore
import DaleksSystem

typealias ExchangeResult = Result<ClientResponse, HTTPClientError>

/// One accepted exchange as every thread may see it.
final class Job: Sendable {
    enum Completion: Sendable {
        /// Called on a thread of the pool.
        case callback(@Sendable (ExchangeResult) -> Void)
        /// A thread waits, and runs the exchange's closures meanwhile.
        case waiter(Waiter)
        /// A task is suspended.
        case continuation(CheckedContinuation<ExchangeResult, Never>)
    }

    let id: UInt64
    let request: ClientRequest
    let origin: Origin
    let deadline: Instant
    let completion: Completion

    init(id: UInt64, request: ClientRequest, origin: Origin, deadline: Instant, completion: Completion) {
        self.id = id
        self.request = request
        self.origin = origin
        self.deadline = deadline
        self.completion = completion
    }
}

/// A thread that waits for its exchange and runs the exchange's sink and source itself, so that whoever blocks in
/// those blocks only itself.
///
/// ## Concurrency
/// `state` is guarded by its condition. Closures run with no lock held.
final class Waiter: Sendable {
    private struct State {
        var closures = FirstInFirstOut<@Sendable () -> Void>()
        var result: ExchangeResult?
    }

    private enum Event {
        case closure(@Sendable () -> Void)
        case result(ExchangeResult)
    }

    private let state = Condition(State())

    func run(_ closure: @escaping @Sendable () -> Void) {
        state.withLock { $0.closures.append(closure) }
        state.signal()
    }

    func finish(_ result: ExchangeResult) {
        state.withLock { $0.result = result }
        state.signal()
    }

    func wait() -> ExchangeResult {
        while true {
            let event: Event? = state.wait { state in
                if let closure = state.closures.popFirst() { return .closure(closure) }
                return state.result.map { .result($0) }
            }
            switch event {
            case .closure(let closure): closure()
            case .result(let result): return result
            // Without a timeout there is always an event.
            case nil: continue
            }
        }
    }
}
