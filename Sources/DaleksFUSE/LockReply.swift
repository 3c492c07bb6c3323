import CFuse
public import DaleksSystem

/// Answers which lock is in the way.
public struct LockReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    /// Nil: none is.
    @discardableResult
    public consuming func conflict(_ lock: FUSELock?) -> Bool {
        var raw = (lock ?? FUSELock(kind: .unlock)).raw
        return pending.answer { fuse_reply_lock($0, &raw) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
