public import DaleksSystem

/// The right to answer one request: consumed by answering, and answering EIO when dropped.
///
/// It may travel to another thread (see `park`). Methods that answer return false where the kernel did not take the
/// answer because the connection has ended: nothing that it would have referenced is referenced.
public protocol FUSEReply: ~Copyable, Sendable {
    @discardableResult
    consuming func error(_ code: Errno) -> Bool

    /// `handler` is called, at most once and perhaps before this returns, when the caller is interrupted before the
    /// answer: a signal came that it does not ignore. The answer is still owed. Asked again, the new handler takes the
    /// place of the old, and hears of an interruption that came before it too.
    mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void)
}

extension FUSEReply where Self: ~Copyable {
    /// Keeps the reply for later so that this thread is free for other requests.
    ///
    /// Where the caller is interrupted meanwhile, `onInterrupt` is called on some thread with no lock held. It answers
    /// EINTR unless told otherwise; an operation that goes on regardless should rather be canceled there and answered
    /// with what became of it.
    public consuming func park(
        onInterrupt: @escaping @Sendable (ParkedReply<Self>) -> Void = { $0.take()?.error(.interrupted) }
    ) -> ParkedReply<Self> {
        let parked = ParkedReply<Self>(onInterrupt: onInterrupt)
        parked.fill(self)
        return parked
    }
}
