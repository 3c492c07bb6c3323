public import DaleksHTTP

/// Bytes of an answer that are likely to be had without waiting: those of a file that the kernel has in memory, say.
/// They go from there into what is sent, and through nothing in between.
public protocol ReadyContent: Sendable {
    var count: Int { get }

    /// Copies bytes from `start` on, as many as fit or fewer, on an event thread: it must not wait. Nil where it would
    /// have to, or where something is wrong with them; then `read` is asked, which finds out.
    func copy(into buffer: UnsafeMutableRawBufferPointer, from start: Int) -> Int?

    /// All bytes from `start` on, on a worker. It may block.
    func read(from start: Int) throws(APIError) -> [UInt8]
}
