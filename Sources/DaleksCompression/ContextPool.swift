import CZstd
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

/// ## Concurrency
/// Used by one thread at a time.
// Unchecked: the pool gives a context to one taker at a time, with a lock between two takers.
final class CompressionContext: @unchecked Sendable {
    let raw: OpaquePointer

    init() {
        guard let raw = ZSTD_createCCtx() else { preconditionFailure("no memory for compression") }
        self.raw = raw
    }

    deinit { ZSTD_freeCCtx(raw) }
}

/// ## Concurrency
/// Used by one thread at a time.
// Unchecked: the pool gives a context to one taker at a time, with a lock between two takers.
final class DecompressionContext: @unchecked Sendable {
    let raw: OpaquePointer

    init() {
        guard let raw = ZSTD_createDCtx() else { preconditionFailure("no memory for decompression") }
        self.raw = raw
    }

    deinit { ZSTD_freeDCtx(raw) }
}
