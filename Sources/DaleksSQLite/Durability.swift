/// What holds when `write` returns.
public enum Durability: Sendable {
    /// The commit survives the death of this process, at the price of a write and no barrier.
    case normal
    /// The commit, and all before it, survives a power cut.
    case full
}

/// A place in the sequence of a database's commits, as counted since it was opened. Later is greater.
///
/// Whoever changed something keeps the position of that commit; asking whether it is durable by now may save a barrier.
public struct LogPosition: Hashable, Comparable, Sendable {
    let commitCount: UInt64

    /// Before the first commit since opening: always durable.
    public static let start = LogPosition(commitCount: 0)

    public static func < (left: Self, right: Self) -> Bool { left.commitCount < right.commitCount }
}
