import Glibc

/// The thread that starts every child.
///
/// The kernel sends a child its death signal when the *thread* that started it ends, not the process. So children are
/// started by one thread that never ends.
///
/// ## Concurrency
/// `requests` is guarded by its condition; whoever asked waits at a gate of its own.
final class Spawner: Sendable {
    static let shared = Spawner()

    private let requests = Condition<[@Sendable () -> Void]>([])

    private init() {
        _ = Thread(name: "spawner") { [requests] in
            while true {
                let batch = requests.wait { waiting -> [@Sendable () -> Void]? in
                    guard !waiting.isEmpty else { return nil }
                    defer { waiting = [] }
                    return waiting
                }
                for request in batch ?? [] { request() }
            }
        }
    }

    /// Runs the closure on the thread and returns what it returned.
    func perform<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
        let answer = Condition<Result?>(nil)
        requests.withLock { waiting in
            waiting.append {
                let result = body()
                answer.withLock { $0 = result }
                answer.signal()
            }
        }
        requests.signal()
        while true {
            if let result = answer.wait(until: { $0 }) { return result }
        }
    }
}
