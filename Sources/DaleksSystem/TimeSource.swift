public import DaleksCore
import Glibc

/// The clocks as a value, so that tests can drive time.
public struct TimeSource: Sendable {
    private let readMonotonic: @Sendable () -> Instant
    private let readWall: @Sendable () -> Timestamp

    public init(monotonic: @escaping @Sendable () -> Instant, wall: @escaping @Sendable () -> Timestamp) {
        readMonotonic = monotonic
        readWall = wall
    }

    /// Goes on while the machine sleeps, so that a deadline set before is past after.
    public var now: Instant { readMonotonic() }

    public var wall: Timestamp { readWall() }

    /// The machine's own clocks.
    public static let system = TimeSource(
        monotonic: { Instant(nanoseconds: nanoseconds(of: CLOCK_BOOTTIME)) },
        wall: { Timestamp(nanoseconds: nanoseconds(of: CLOCK_REALTIME)) }
    )

    private static func nanoseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
