/// A number that goes up and down: open connections, queued jobs, bytes in use.
///
/// ## Concurrency
/// One atomic word, replaced by compare and exchange; any thread, any time.
public final class Gauge: Sendable {
    private let number = AtomicNumber()

    init() {}

    public func set(_ value: Double) { number.store(value) }
    public func set(_ value: Int) { number.store(Double(value)) }
    public func add(_ change: Double) { number.add(change) }
    public func increment() { number.add(1) }
    public func decrement() { number.add(-1) }

    public var value: Double { number.load() }
}
