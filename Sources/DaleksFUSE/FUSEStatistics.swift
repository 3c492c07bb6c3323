public import DaleksCore
import Glibc

/// What statfs says.
public struct FUSEStatistics: Hashable, Sendable {
    /// The unit of the block counts.
    public var blockBytes: UInt64
    public var blockCount: UInt64
    public var freeBlockCount: UInt64
    /// Free to users other than root; what `df` shows as available.
    public var availableBlockCount: UInt64
    public var fileCount: UInt64
    public var freeFileCount: UInt64
    public var nameBytesMax: UInt64

    public init(
        blockBytes: UInt64 = 4_096,
        blockCount: UInt64 = 0,
        freeBlockCount: UInt64 = 0,
        availableBlockCount: UInt64? = nil,
        fileCount: UInt64 = 0,
        freeFileCount: UInt64 = 0,
        nameBytesMax: UInt64 = UInt64(Limits.nameBytesMax)
    ) {
        self.blockBytes = blockBytes
        self.blockCount = blockCount
        self.freeBlockCount = freeBlockCount
        self.availableBlockCount = availableBlockCount ?? freeBlockCount
        self.fileCount = fileCount
        self.freeFileCount = freeFileCount
        self.nameBytesMax = nameBytesMax
    }

    var raw: statvfs {
        var raw = statvfs()
        raw.f_bsize = UInt(blockBytes)
        raw.f_frsize = UInt(blockBytes)
        raw.f_blocks = UInt(blockCount)
        raw.f_bfree = UInt(freeBlockCount)
        raw.f_bavail = UInt(availableBlockCount)
        raw.f_files = UInt(fileCount)
        raw.f_ffree = UInt(freeFileCount)
        raw.f_favail = UInt(freeFileCount)
        raw.f_namemax = UInt(nameBytesMax)
        return raw
    }
}
