import Glibc

/// A page-aligned buffer of each thread's own, so that answering a read or a listing allocates nothing.
///
/// ## Concurrency
/// Each thread sees only its own; the C library frees it when the thread ends.
enum ScratchBuffer {
    /// Larger requests get memory of their own and give it back.
    private static let bytes = 1 << 20

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = pthread_key_create(&key) { free($0) }
        precondition(result == 0, "the process has no thread-specific key left")
        return key
    }()

    /// The buffer is out while `body` runs; asked for again meanwhile, the inner caller gets memory of its own.
    @inline(__always)
    static func with<Result: ~Copyable, Failure: Error>(
        count: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let kept = count <= bytes ? pthread_getspecific(key) : nil
        let memory = kept ?? allocate(max(count, bytes))
        if kept != nil { pthread_setspecific(key, nil) }
        defer {
            if count <= bytes, pthread_getspecific(key) == nil {
                pthread_setspecific(key, memory)
            } else {
                free(memory)
            }
        }
        return try body(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    private static func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        var memory: UnsafeMutableRawPointer?
        let result = posix_memalign(&memory, 4_096, count)
        guard result == 0, let memory else { preconditionFailure("out of memory") }
        return memory
    }
}
