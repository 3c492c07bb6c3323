import CFuse
public import DaleksSystem
import Glibc

/// Answers where the next hole or data begins.
public struct SeekReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    @discardableResult
    public consuming func offset(_ offset: Int64) -> Bool {
        pending.answer { fuse_reply_lseek($0, off_t(offset)) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
