import DaleksCore

/// What becomes of a refresh token that is shown. It does no work: table tests feed it.
public struct RefreshRule: Sendable {
    /// A session ends after so long without use…
    public var idle = Duration.seconds(60 * 86_400)
    /// …and in any case after this.
    public var lifetime = Duration.seconds(365 * 86_400)
    /// The predecessor gets its successor again: programs that share a token ask at the same moment.
    public var repeatWindow = Duration.seconds(10)
    /// The same request gets its successor again: the answer was lost, and the machine slept since.
    public var requestWindow = Duration.seconds(86_400)

    public init() {}

    enum Decision: Hashable, Sendable {
        /// The good one: it gets a successor.
        case rotate
        /// Its successor again.
        case repeated
        /// Somebody else has it too: the session ends.
        case reused
        /// The session's time is over.
        case expired
        /// It ended before.
        case ended
    }

    /// `request` is what the client calls this request, if it says.
    func decide(_ session: SessionState, shown digest: Digest, request: Digest?, at now: Timestamp) -> Decision {
        if session.ended != nil { return .ended }
        if isOver(session, at: now) { return .expired }
        if digest == session.current { return .rotate }
        // The predecessor is one only while its successor is unused: at the successor's use it becomes forgotten.
        guard let predecessor = session.predecessor, digest == predecessor.digest else { return .reused }
        let elapsed = now - predecessor.rotated
        if isWithin(elapsed, repeatWindow) { return .repeated }
        if let request, request == predecessor.request, isWithin(elapsed, requestWindow) { return .repeated }
        return .reused
    }

    /// Whether its time is over, used or not.
    func isOver(_ session: SessionState, at now: Timestamp) -> Bool { isOver(session.life, at: now) }

    func isOver(_ life: SessionLife, at now: Timestamp) -> Bool {
        if let until = life.until, until <= now { return true }
        return now - life.created >= lifetime || now - life.used >= idle
    }

    /// On either side, for the clock may have been set back a little; not far, or the window would never close.
    private func isWithin(_ elapsed: Duration, _ window: Duration) -> Bool {
        elapsed <= window && elapsed >= .zero - window
    }
}
