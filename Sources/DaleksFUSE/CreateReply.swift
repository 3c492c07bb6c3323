import CFuse
public import DaleksSystem

/// Answers a create: an entry and an open in one.
public struct CreateReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    /// One more reference of the kernel to the inode, and one open, if it returns true: see `FUSEEntry`.
    @discardableResult
    public consuming func created(_ entry: FUSEEntry, handle: UInt64, options: FUSEOpenOptions = []) -> Bool {
        var parameters = entry.parameters
        var info = options.fileInfo(handle: handle)
        return pending.answer { fuse_reply_create($0, &parameters, &info) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
