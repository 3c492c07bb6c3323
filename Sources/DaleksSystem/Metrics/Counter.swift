import Synchronization

/// A number that only grows: events, bytes, failures.
///
/// ## Concurrency
/// One relaxed atomic addition; any thread, any time.
public final class Counter: Sendable {
    private let total = Atomic<Int>(0)

    init() {}

    public func increment(by amount: Int = 1) {
        assert(amount >= 0, "a counter only grows")
        total.wrappingAdd(amount, ordering: .relaxed)
    }

    public var value: Int { total.load(ordering: .relaxed) }
}
