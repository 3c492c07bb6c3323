/// Where and how bytes are written; the bytes come beside it.
public struct FUSEWrite: Hashable, Sendable {
    public let inode: UInt64
    /// From open; when `isFromPageCache` it may belong to another open of the same file.
    public let handle: UInt64
    /// The kernel has already moved an appending write to the end of the file as it knows it.
    public let offset: Int64
    public let flags: FUSEOpenFlags
    public let lockOwner: UInt64
    /// Pages of a memory mapping on their way back: nobody waits, and the request's user is not the writer.
    public let isFromPageCache: Bool

    /// The writer may not keep setuid and setgid: clear setuid, and setgid where the group may execute. Only asked
    /// once the kernel left that to us.
    public var clearsSetID: Bool { flags.clearsSetID }

    public init(
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        flags: FUSEOpenFlags,
        lockOwner: UInt64,
        isFromPageCache: Bool
    ) {
        self.inode = inode
        self.handle = handle
        self.offset = offset
        self.flags = flags
        self.lockOwner = lockOwner
        self.isFromPageCache = isFromPageCache
    }
}
