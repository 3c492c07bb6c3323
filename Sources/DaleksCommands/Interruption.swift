import DaleksSystem
import Glibc

/// Ctrl-C, and its relatives, while a verb works: whoever has something to tidy up hears of it first.
///
/// ## Concurrency
/// A thread of its own waits for signals. `state` is held for arithmetic; the handlers run without it.
public final class Interruption: Sendable {
    private struct State {
        var signal: Int32?
        var handlers: [Int: @Sendable () -> Void] = [:]
        var nextKey = 0
    }

    private let state = Lock(State())

    /// The signal that asked the verb to end; nil while none has.
    public var signal: Int32? { state.withLock { $0.signal } }

    /// Ends the process at once where nobody has anything to tidy up, or where it is asked a second time.
    func watch(_ signals: SignalWaiter) {
        _ = Thread(name: "signals") { [self] in
            while let signal = signals.wait() {
                let handlers = state.withLock { state -> [@Sendable () -> Void] in
                    guard state.signal == nil else { return [] }
                    state.signal = signal
                    return Array(state.handlers.values)
                }
                if handlers.isEmpty { Self.end(by: signal) }
                for handler in handlers { handler() }
            }
        }
    }

    /// Calls the handler where a signal comes before `body` is done; then the verb ends in its own way.
    func handling<Result, Failure: Error>(
        _ handler: @escaping @Sendable () -> Void,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let key = state.withLock { state in
            state.nextKey += 1
            state.handlers[state.nextKey] = handler
            return state.nextKey
        }
        defer { state.withLock { state in _ = state.handlers.removeValue(forKey: key) } }
        return try body()
    }

    /// As the signal itself would have it, so that a shell knows what happened.
    static func end(by signal: Int32) -> Never {
        _ = Glibc.signal(signal, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(signal)
        exit(128 + signal)
    }
}
