import CZstd

/// What compressing works in.
///
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
