import DaleksCore

/// How a file system is mounted and what is asked of the kernel.
public struct FUSEMountOptions: Hashable, Sendable {
    public enum ReaddirPlus: String, CaseIterable, Sendable {
        case never, always
        /// The kernel asks for attributes where it expects to need them.
        case auto
    }

    public enum Invalidation: String, CaseIterable, Sendable {
        /// The kernel drops a file's pages when it learns of another size or mtime.
        case automatic
        /// Only when told to (`invalidateInode`).
        case explicit
    }

    /// What `mount` and `df` show as the source.
    public var source = "daleks"
    /// Shown as `fuse.daleks`; a stale mount is healed only where it has our subtype.
    public var subtype = "daleks"
    /// The kernel checks owner and mode before it asks.
    public var defaultPermissions = true
    /// Others than the mounting user may enter. An ordinary user needs `user_allow_other` in /etc/fuse.conf.
    public var allowOther = false
    public var isReadOnly = false
    /// setuid files and devices mean nothing here. Only root can say otherwise.
    public var ignoresSetID = true
    public var ignoresDevices = true
    public var forbidsExecution = false
    /// Mounts over a folder that has entries, which are out of sight until unmount.
    public var allowsNonEmpty = false
    /// An open descriptor of /dev/fuse whose mount stands already, made by whoever started us; it is ours from then on.
    public var connection: Int32?
    /// The most bytes one read asks for; nil leaves it to the kernel.
    public var readBytesMax: UInt32?
    public var readaheadBytesMax = UInt32(Limits.FUSE.readaheadBytesMax)
    public var backgroundMax = UInt32(Limits.FUSE.backgroundMax)

    public var readdirPlus = ReaddirPlus.auto
    public var invalidation = Invalidation.automatic
    public var posixLocks = false
    public var flockLocks = false
    public var cachesSymlinks = true
    /// Off: create, mknod and mkdir come with the unmasked mode, and `FUSERequest.umask` is to be applied.
    public var kernelAppliesUmask = true
    /// For export over NFS: `.` and `..` are looked up, and forgotten inodes may be asked for again.
    public var supportsExport = false
    /// Replies from a descriptor go through a pipe and not through memory: worth it for large reads of cached files.
    ///
    /// Requests are never spliced: a write's bytes are wanted in memory.
    public var splicesReplies = false
    /// Asks the kernel to leave clearing setuid and setgid to us, which saves it a getxattr before each write.
    public var handlesKillPrivileges = true

    public init() {}

    /// Refuses what the kernel's comma-separated options could not carry.
    func validate() throws(FUSEError) {
        for (text, what) in [(source, "source"), (subtype, "subtype")] {
            guard !text.isEmpty, text.utf8.count <= Limits.FUSE.optionBytesMax else {
                throw .option("the \(what) of a mount needs 1 to \(Limits.FUSE.optionBytesMax) bytes")
            }
            guard text.utf8.allSatisfy({ $0 > 32 && $0 != 127 }) else {
                throw .option("the \(what) of a mount cannot contain spaces or control characters")
            }
        }
        guard subtype.utf8.allSatisfy({ $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "\\") }) else {
            throw .option("the subtype of a mount cannot contain a comma or a backslash")
        }
    }

    /// The options that only the kernel's FUSE understands, for mount(2) and fusermount3 alike.
    var kernelOptions: [String] {
        var options: [String] = []
        if defaultPermissions { options.append("default_permissions") }
        if allowOther { options.append("allow_other") }
        if let readBytesMax { options.append("max_read=\(readBytesMax)") }
        return options
    }
}
