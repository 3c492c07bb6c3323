/// The last descriptor of an open file is gone.
public struct FUSERelease: Hashable, Sendable {
    public let inode: UInt64
    public let handle: UInt64
    public let flags: FUSEOpenFlags
    /// Whose flock locks end with it; nil when there are none.
    public let unlocksOwner: UInt64?

    public init(inode: UInt64, handle: UInt64, flags: FUSEOpenFlags, unlocksOwner: UInt64?) {
        self.inode = inode
        self.handle = handle
        self.flags = flags
        self.unlocksOwner = unlocksOwner
    }
}
