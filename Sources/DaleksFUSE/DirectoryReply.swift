import CFuse
public import DaleksSystem

/// Answers a piece of a folder's listing, as large as the kernel has room for.
public struct DirectoryReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest
    /// What the kernel has room for.
    public let capacity: Int
    /// Whether entries carry attributes (readdirplus).
    public let isPlus: Bool

    @inline(__always)
    init(_ pending: consuming PendingRequest, capacity: Int, isPlus: Bool) {
        self.pending = pending
        self.capacity = capacity
        self.isPlus = isPlus
    }

    /// `body` adds entries until one does not fit or there are no more, or throws the error to answer. None added mean
    /// the end of the folder.
    ///
    /// Returning false, the kernel took no reference to what was added.
    @discardableResult
    public consuming func entries(_ body: (inout DirectoryEntries) throws(Errno) -> Void) -> Bool {
        let (capacity, isPlus) = (capacity, isPlus)
        let pending = pending
        var slot: PendingRequest? = pending
        return ScratchBuffer.with(count: capacity) { buffer in
            var entries = DirectoryEntries(buffer, isPlus: isPlus)
            do throws(Errno) {
                try body(&entries)
                let count = entries.byteCount
                return slot.take()?.answer {
                    fuse_reply_buf($0, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), count)
                } ?? false
            } catch {
                return slot.take()?.error(error) ?? false
            }
        }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
