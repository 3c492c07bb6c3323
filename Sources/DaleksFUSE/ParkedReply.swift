import DaleksSystem

/// A reply that waits for an answer from another thread; whoever takes it first answers.
///
/// Dropped with the reply inside, it answers EIO.
///
/// ## Concurrency
/// `state` is guarded by its lock, which is never held during an answer or a handler.
public final class ParkedReply<Reply: FUSEReply & ~Copyable>: Sendable {
    private struct State: ~Copyable {
        var reply: Reply?
        var isFilled = false
        var wasInterruptedEarly = false
    }

    private let state = Lock(State())
    private let onInterrupt: @Sendable (ParkedReply<Reply>) -> Void

    init(onInterrupt: @escaping @Sendable (ParkedReply<Reply>) -> Void) {
        self.onInterrupt = onInterrupt
    }

    /// The reply, to the first who asks.
    public func take() -> Reply? {
        state.withLock { $0.reply.take() }
    }

    /// Nobody waits for the answer any more.
    public var isTaken: Bool {
        state.withLock { $0.isFilled && $0.reply == nil }
    }

    func fill(_ reply: consuming Reply) {
        // Weak: the handler lives as long as the reply, which must not keep itself from being dropped.
        reply.onInterrupt { [weak self] in self?.interrupted() }
        var slot: Reply? = reply
        let wasInterruptedEarly = state.withLock { state in
            state.reply = slot.take()
            state.isFilled = true
            return state.wasInterruptedEarly
        }
        if wasInterruptedEarly { onInterrupt(self) }
    }

    private func interrupted() {
        let isFilled = state.withLock { state in
            if !state.isFilled { state.wasInterruptedEarly = true }
            return state.isFilled
        }
        // Before it is filled, libfuse still holds the request's lock on this thread: `fill` calls after.
        if isFilled { onInterrupt(self) }
    }
}
