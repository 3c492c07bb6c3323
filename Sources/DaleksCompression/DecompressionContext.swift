import CZstd

/// What decompressing works in.
///
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
