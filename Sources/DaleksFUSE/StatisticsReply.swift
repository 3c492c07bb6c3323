import CFuse
public import DaleksSystem

/// Answers what statfs says.
public struct StatisticsReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    @discardableResult
    public consuming func statistics(_ statistics: FUSEStatistics) -> Bool {
        var raw = statistics.raw
        return pending.answer { fuse_reply_statfs($0, &raw) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
