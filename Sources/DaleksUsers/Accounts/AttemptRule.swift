import DaleksCore

/// What was tried for one account, lately and in vain. An attempt counts as failed until it is known to have succeeded,
/// so that any number at a time cannot outrun the count.
struct AttemptState: Hashable, Sendable {
    var failures: Int
    var last: Timestamp
    var blockedUntil: Timestamp
}

/// How many passwords may be tried, and how long one waits after that.
public struct AttemptRule: Sendable {
    /// Attempts before the first wait.
    public var freeCount: Int
    /// Doubled with each further failure.
    public var firstDelay = Duration.seconds(2)
    /// Whoever owns the account must get in between a stranger's guesses, on the same day.
    public var delayMax = Duration.seconds(900)
    /// After so long without any, failures are forgotten. Longer than the longest wait.
    public var memory = Duration.seconds(3_600)

    public init(freeCount: Int = 5) { self.freeCount = freeCount }

    enum Decision: Hashable, Sendable {
        /// May be tried; this is what to remember from before it is.
        case admitted(AttemptState)
        case refused(retryAfter: Duration)
    }

    func admit(after state: AttemptState?, at now: Timestamp) -> Decision {
        var failures = 0
        if let state, isFresh(state, now) {
            // The end of a wait of nothing is another's present, which may be after ours where both came at once.
            if state.failures >= freeCount, now < state.blockedUntil {
                return .refused(retryAfter: state.blockedUntil - now)
            }
            failures = state.failures
        }
        failures += 1
        return .admitted(AttemptState(failures: failures, last: now, blockedUntil: now + delay(after: failures)))
    }

    /// False for what is long ago, and for what a clock that was set back left in the future.
    private func isFresh(_ state: AttemptState, _ now: Timestamp) -> Bool {
        now - state.last < memory && state.last - now < memory
    }

    private func delay(after failures: Int) -> Duration {
        guard failures >= freeCount else { return .zero }
        // Past 20 doublings any delay is longer than the longest.
        return min(delayMax, firstDelay * (1 << min(20, failures - freeCount)))
    }
}
