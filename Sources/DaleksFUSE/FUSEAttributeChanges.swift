import CFuse
public import DaleksCore
import Glibc

/// What a setattr asks to change; nil leaves a field as it is.
public struct FUSEAttributeChanges: Hashable, Sendable {
    public enum Time: Hashable, Sendable {
        case now
        case at(Timestamp)
    }

    /// Permissions; the type bits that come with them cannot change.
    public var mode: UInt32?
    public var userID: UInt32?
    public var groupID: UInt32?
    public var size: Int64?
    public var accessed: Time?
    public var modified: Time?
    public var changed: Timestamp?
    /// The caller may not keep setuid and setgid: clear setuid, and setgid where the group may execute.
    ///
    /// Comes with `size` once the kernel left that to us (see `FUSECapabilities.handleKillPrivileges`); on a change of
    /// owner it is our duty always, asked or not.
    public var clearsSetID: Bool

    public init(
        mode: UInt32? = nil,
        userID: UInt32? = nil,
        groupID: UInt32? = nil,
        size: Int64? = nil,
        accessed: Time? = nil,
        modified: Time? = nil,
        changed: Timestamp? = nil,
        clearsSetID: Bool = false
    ) {
        self.mode = mode
        self.userID = userID
        self.groupID = groupID
        self.size = size
        self.accessed = accessed
        self.modified = modified
        self.changed = changed
        self.clearsSetID = clearsSetID
    }

    init(_ status: stat, valid: Int32) {
        func has(_ bit: Int32) -> Bool { valid & bit != 0 }
        mode = has(FUSE_SET_ATTR_MODE) ? status.st_mode : nil
        userID = has(FUSE_SET_ATTR_UID) ? status.st_uid : nil
        groupID = has(FUSE_SET_ATTR_GID) ? status.st_gid : nil
        size = has(FUSE_SET_ATTR_SIZE) ? Int64(status.st_size) : nil
        accessed = Self.time(
            status.st_atim,
            isSet: has(FUSE_SET_ATTR_ATIME),
            isNow: has(FUSE_SET_ATTR_ATIME_NOW)
        )
        modified = Self.time(
            status.st_mtim,
            isSet: has(FUSE_SET_ATTR_MTIME),
            isNow: has(FUSE_SET_ATTR_MTIME_NOW)
        )
        changed = has(FUSE_SET_ATTR_CTIME) ? Timestamp(status.st_ctim) : nil
        // FATTR_KILL_SUIDGID of the kernel has this bit too.
        clearsSetID = has(FUSE_SET_ATTR_KILL_SUID)
    }

    private static func time(_ time: timespec, isSet: Bool, isNow: Bool) -> Time? {
        if isNow { return .now }
        return isSet ? .at(Timestamp(time)) : nil
    }
}

extension Timestamp {
    init(_ time: timespec) { self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec)) }
}
