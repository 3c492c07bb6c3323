import DaleksHTTPServer
import DaleksSystem

/// Brings together a request that is parked and its answer, whichever comes first.
///
/// ## Concurrency
/// `state` is guarded by itself. The answer is given with no lock held.
final class LaterAnswer: Sendable {
    typealias Giving = @Sendable (Parked) -> Void

    private enum State: Sendable {
        case empty
        case parked(Parked)
        case answered(Giving)
        case done
    }

    private let state = Lock(State.empty)

    func park(_ parked: Parked) {
        let giving = state.withLock { state -> Giving? in
            guard case .answered(let giving) = state else {
                state = .parked(parked)
                return nil
            }
            state = .done
            return giving
        }
        giving?(parked)
    }

    func give(_ giving: @escaping Giving) {
        let parked = state.withLock { state -> Parked? in
            guard case .parked(let parked) = state else {
                state = .answered(giving)
                return nil
            }
            state = .done
            return parked
        }
        if let parked { giving(parked) }
    }
}
