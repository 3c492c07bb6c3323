import CFuse
import DaleksCore

/// What a name leads to, and for how long the kernel may go on believing it.
///
/// ## Lookup counts
/// The kernel holds one reference to an inode for every entry it received with it: the answers to lookup, mknod,
/// mkdir, symlink, link and create, and each entry of readdirplus that fitted, except `.` and `..`. It gives them back
/// in `forget`. Counting is the file system's: an inode whose count is not zero may be asked about at any moment, even
/// after its last name is gone. An answer whose method returned false never arrived and does not count.
public struct FUSEEntry: Sendable {
    /// 0 says that there is no such name, and that the kernel may remember this for `entryValidFor`.
    public var inode: UInt64
    /// With `inode` unique for ever, if mounts are exported over NFS.
    public var generation: UInt64
    public var attributes: FUSEAttributes
    public var entryValidFor: Duration
    public var attributesValidFor: Duration

    public init(
        _ attributes: FUSEAttributes,
        generation: UInt64 = 0,
        entryValidFor: Duration,
        attributesValidFor: Duration
    ) {
        inode = attributes.inode
        self.generation = generation
        self.attributes = attributes
        self.entryValidFor = entryValidFor
        self.attributesValidFor = attributesValidFor
    }

    /// No such name, and the kernel need not ask again for a while.
    public static func absent(validFor duration: Duration) -> FUSEEntry {
        var entry = FUSEEntry(
            FUSEAttributes(inode: 0, mode: 0),
            entryValidFor: duration,
            attributesValidFor: .zero
        )
        entry.inode = 0
        return entry
    }

    @inline(__always)
    var parameters: fuse_entry_param {
        var parameters = fuse_entry_param()
        parameters.ino = inode
        parameters.generation = generation
        parameters.attr = attributes.status
        parameters.attr_timeout = attributesValidFor.inSeconds
        parameters.entry_timeout = entryValidFor.inSeconds
        return parameters
    }

    /// The same as the kernel's own structure has it, for folders that are listed with attributes.
    var wire: fuse_entry_out {
        var wire = fuse_entry_out()
        wire.nodeid = inode
        wire.generation = generation
        let entryNanoseconds = UInt64(max(0, entryValidFor.nanoseconds))
        let attributeNanoseconds = UInt64(max(0, attributesValidFor.nanoseconds))
        wire.entry_valid = entryNanoseconds / 1_000_000_000
        wire.attr_valid = attributeNanoseconds / 1_000_000_000
        wire.entry_valid_nsec = UInt32(entryNanoseconds % 1_000_000_000)
        wire.attr_valid_nsec = UInt32(attributeNanoseconds % 1_000_000_000)
        wire.attr = attributes.wire
        return wire
    }
}
