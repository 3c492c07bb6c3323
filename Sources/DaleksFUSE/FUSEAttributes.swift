import CFuse
public import DaleksCore
import Glibc

/// What stat says of an inode.
public struct FUSEAttributes: Hashable, Sendable {
    public var inode: UInt64
    /// Type and permissions, as `st_mode` has them.
    public var mode: UInt32
    public var linkCount: UInt32
    public var userID: UInt32
    public var groupID: UInt32
    /// Of a device node only.
    public var device: UInt64
    public var size: Int64
    /// In units of 512 bytes, whatever `preferredBlockBytes` says.
    public var blockCount: Int64
    /// What programs like to read and write at a time; a power of two.
    public var preferredBlockBytes: UInt32
    public var accessed: Timestamp
    public var modified: Timestamp
    public var changed: Timestamp

    public init(
        inode: UInt64,
        mode: UInt32,
        linkCount: UInt32 = 1,
        userID: UInt32 = 0,
        groupID: UInt32 = 0,
        device: UInt64 = 0,
        size: Int64 = 0,
        blockCount: Int64? = nil,
        preferredBlockBytes: UInt32 = 4_096,
        accessed: Timestamp = .zero,
        modified: Timestamp = .zero,
        changed: Timestamp = .zero
    ) {
        self.inode = inode
        self.mode = mode
        self.linkCount = linkCount
        self.userID = userID
        self.groupID = groupID
        self.device = device
        self.size = size
        self.blockCount = blockCount ?? (size &+ 511) / 512
        self.preferredBlockBytes = preferredBlockBytes
        self.accessed = accessed
        self.modified = modified
        self.changed = changed
    }

    @inline(__always)
    var status: stat {
        var status = stat()
        status.st_ino = UInt(inode)
        status.st_mode = mode
        status.st_nlink = UInt(linkCount)
        status.st_uid = userID
        status.st_gid = groupID
        status.st_rdev = UInt(device)
        status.st_size = Int(size)
        status.st_blocks = Int(blockCount)
        status.st_blksize = Int(preferredBlockBytes)
        status.st_atim = accessed.timespec
        status.st_mtim = modified.timespec
        status.st_ctim = changed.timespec
        return status
    }

    /// The same as the kernel's own structure has it, for folders that are listed with attributes.
    var wire: fuse_attr {
        var wire = fuse_attr()
        wire.ino = inode
        wire.size = UInt64(bitPattern: size)
        wire.blocks = UInt64(bitPattern: blockCount)
        wire.atime = UInt64(bitPattern: accessed.seconds)
        wire.mtime = UInt64(bitPattern: modified.seconds)
        wire.ctime = UInt64(bitPattern: changed.seconds)
        wire.atimensec = UInt32(accessed.nanosecondsOfSecond)
        wire.mtimensec = UInt32(modified.nanosecondsOfSecond)
        wire.ctimensec = UInt32(changed.nanosecondsOfSecond)
        wire.mode = mode
        wire.nlink = linkCount
        wire.uid = userID
        wire.gid = groupID
        wire.rdev = UInt32(truncatingIfNeeded: device)
        wire.blksize = preferredBlockBytes
        return wire
    }
}

extension Timestamp {
    @inline(__always)
    var timespec: timespec { Glibc.timespec(tv_sec: Int(seconds), tv_nsec: Int(nanosecondsOfSecond)) }
}
