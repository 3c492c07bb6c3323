/// The number by which the kernel and this machine's tables know a node: stable across restarts, never used twice.
public struct Inode: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The root of the mount (FUSE_ROOT_ID).
    public static let root = Inode(rawValue: 1)

    /// How SQLite holds it. Row ids count up from 1 and never come near the sign bit.
    var column: Int64 { Int64(bitPattern: rawValue) }
    init(column: Int64) { rawValue = UInt64(bitPattern: column) }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension Inode: CustomStringConvertible {
    public var description: String { String(rawValue) }
}
