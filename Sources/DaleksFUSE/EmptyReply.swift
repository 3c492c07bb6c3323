import CFuse
public import DaleksSystem

/// Answers that it is done.
public struct EmptyReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    @discardableResult
    public consuming func success() -> Bool {
        pending.answer { fuse_reply_err($0, 0) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
