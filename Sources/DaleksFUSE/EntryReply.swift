import CFuse
public import DaleksSystem

/// Answers what a name leads to.
public struct EntryReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    /// One more reference of the kernel to the inode, if it returns true: see `FUSEEntry`.
    @discardableResult
    public consuming func entry(_ entry: FUSEEntry) -> Bool {
        var parameters = entry.parameters
        return pending.answer { fuse_reply_entry($0, &parameters) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
