public import DaleksCore
public import DaleksSystem

/// Clocks that stand still until a test moves them.
///
/// ## Concurrency
/// `state` is guarded by its lock; the code under test may read it on any thread.
public final class ManualClock: Sendable {
    private struct State {
        var now: Instant
        var wall: Timestamp
    }

    private let state: Lock<State>

    /// Neither clock starts at zero, so that code which confuses them, or forgets a base, is found.
    public init(
        now: Instant = Instant(nanoseconds: 1_000_000_000_000),
        wall: Timestamp = Timestamp(seconds: 1_800_000_000)
    ) {
        state = Lock(State(now: now, wall: wall))
    }

    public var source: TimeSource {
        TimeSource(
            monotonic: { self.state.withLock { $0.now } },
            wall: { self.state.withLock { $0.wall } }
        )
    }

    /// Time passes: both clocks move.
    public func advance(by duration: Duration) {
        state.withLock { state in
            state.now = state.now + duration
            state.wall = state.wall + duration
        }
    }

    /// Somebody sets the wall clock; the monotonic one does not notice.
    public func setWall(_ time: Timestamp) { state.withLock { $0.wall = time } }
}
