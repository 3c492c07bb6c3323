/// Locks on stretches of one file, as POSIX has them: an owner has at most one lock on a byte, what it asks for takes
/// the place of what it had there, and locks of one owner never exclude each other.
struct RangeLocks: Sendable {
    /// In no order.
    private(set) var held: [FileLock] = []

    var isEmpty: Bool { held.isEmpty }

    func isHeld(by owner: UInt64) -> Bool { held.contains { $0.owner == owner } }

    /// The first byte's lock among those that are in the way.
    func conflict(with wanted: FileLock) -> FileLock? {
        var first: FileLock?
        for lock in held where lock.excludes(wanted) && lock.start < first?.start ?? .max { first = lock }
        return first
    }

    /// Who is in the way.
    func owners(excluding wanted: FileLock) -> Set<UInt64> {
        Set(held.lazy.filter { $0.excludes(wanted) }.map(\.owner))
    }

    mutating func set(_ lock: FileLock) {
        clear(owner: lock.owner, from: lock.start, to: lock.end)
        var whole = lock
        // Neighbours of one kind are one lock: a file locked byte by byte has one.
        held.removeAll { other in
            guard other.owner == lock.owner, other.kind == lock.kind, other.touches(whole) else { return false }
            (whole.start, whole.end) = (min(whole.start, other.start), max(whole.end, other.end))
            return true
        }
        held.append(whole)
    }

    /// What of the owner's lies partly outside stays there.
    mutating func clear(owner: UInt64, from start: Int64, to end: Int64) {
        var rest: [FileLock] = []
        held.removeAll { lock in
            guard lock.owner == owner, lock.start <= end, lock.end >= start else { return false }
            if lock.start < start {
                var before = lock
                before.end = start - 1
                rest.append(before)
            }
            if lock.end > end {
                var after = lock
                after.start = end + 1
                rest.append(after)
            }
            return true
        }
        held += rest
    }

    mutating func clear(handle: UInt64) { held.removeAll { $0.handle == handle } }
}

/// A lock that somebody has or wants on a stretch of a file.
public struct FileLock: Hashable, Sendable {
    public enum Kind: Sendable { case read, write }

    /// Who, as the kernel names them: the files of a process, or one open file.
    public var owner: UInt64
    public var kind: Kind
    public var start: Int64
    /// The last byte that belongs to it; `Int64.max` is the end of the file, wherever that moves.
    public var end: Int64
    /// For who asks what is in the way; 0 where it is a program of another machine.
    public var process: Int32
    /// The open file by which it was taken. What an open file has for itself goes with it.
    public var handle: UInt64

    public init(
        owner: UInt64,
        kind: Kind,
        start: Int64 = 0,
        end: Int64 = .max,
        process: Int32 = 0,
        handle: UInt64 = 0
    ) {
        self.handle = handle
        self.owner = owner
        self.kind = kind
        self.start = start
        self.end = end
        self.process = process
    }

    func excludes(_ other: FileLock) -> Bool {
        owner != other.owner && (kind == .write || other.kind == .write) && start <= other.end && other.start <= end
    }

    /// Overlaps or lies right beside.
    func touches(_ other: FileLock) -> Bool {
        (start == 0 || start - 1 <= other.end) && (other.start == 0 || other.start - 1 <= end)
    }
}
