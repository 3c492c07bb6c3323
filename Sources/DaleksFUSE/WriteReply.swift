import CFuse
public import DaleksSystem

/// Answers how many bytes were written or copied.
public struct WriteReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    @discardableResult
    public consuming func written(_ count: Int) -> Bool {
        pending.answer { fuse_reply_write($0, count) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
