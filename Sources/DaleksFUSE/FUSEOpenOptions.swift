import CFuse

/// What the kernel may do with a file or folder that was opened.
public struct FUSEOpenOptions: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Reads and writes go past the page cache.
    public static let direct = FUSEOpenOptions(rawValue: 1)
    /// Pages the kernel still has from an earlier open are good.
    public static let keepsCache = FUSEOpenOptions(rawValue: 2)
    public static let notSeekable = FUSEOpenOptions(rawValue: 4)
    /// Of a folder: the kernel may answer later listings from this one.
    public static let cachesDirectory = FUSEOpenOptions(rawValue: 8)
    /// No flush is sent on close.
    public static let skipsFlush = FUSEOpenOptions(rawValue: 16)

    func fileInfo(handle: UInt64) -> fuse_file_info {
        var info = fuse_file_info()
        info.fh = handle
        info.direct_io = contains(.direct) ? 1 : 0
        info.keep_cache = contains(.keepsCache) ? 1 : 0
        info.nonseekable = contains(.notSeekable) ? 1 : 0
        info.cache_readdir = contains(.cachesDirectory) ? 1 : 0
        info.noflush = contains(.skipsFlush) ? 1 : 0
        return info
    }
}
