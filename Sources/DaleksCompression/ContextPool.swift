import DaleksCore
import DaleksSystem

/// Working memory of the library, kept between calls: making it anew costs more than compressing a small chunk.
///
/// ## Concurrency
/// `idle` is guarded by its lock, which is held for taking and putting back only. A context that was taken belongs to
/// the taker alone.
final class ContextPool<Context: AnyObject & Sendable>: Sendable {
    private let idle = Lock<[Context]>([])
    private let make: @Sendable () -> Context

    init(_ make: @escaping @Sendable () -> Context) { self.make = make }

    func withContext<Result, Failure: Error>(
        _ body: (Context) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let context = idle.withLock { $0.popLast() } ?? make()
        defer {
            idle.withLock { idle in
                if idle.count < Limits.Compression.idleContextsMax { idle.append(context) }
            }
        }
        return try body(context)
    }
}
