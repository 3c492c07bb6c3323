import CFuse
import DaleksCore
public import DaleksSystem

/// Answers what stat says.
public struct AttributesReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    /// `duration`: how long the kernel may answer by itself; zero where something changed since the request began.
    @discardableResult
    public consuming func attributes(_ attributes: FUSEAttributes, validFor duration: Duration) -> Bool {
        var status = attributes.status
        return pending.answer { fuse_reply_attr($0, &status, duration.inSeconds) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
