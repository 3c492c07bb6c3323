import CFuse
import Glibc

/// How a file is opened.
public struct FUSEOpenFlags: Hashable, Sendable {
    public enum Access: Sendable { case read, write, readAndWrite }

    /// A bit of `rawValue` that no open(2) flag uses; `Wire` puts the kernel's FUSE_OPEN_KILL_SUIDGID and
    /// FUSE_WRITE_KILL_SUIDGID there, because libfuse 3.14 passes open flags through and drops those two.
    static let clearsSetIDBit: UInt32 = 1 << 31

    private let bits: UInt32

    public init(rawValue: Int32) { bits = UInt32(bitPattern: rawValue) & ~Self.clearsSetIDBit }

    /// As they come through libfuse.
    @inline(__always)
    init(bits: Int32) { self.bits = UInt32(bitPattern: bits) }

    /// As open(2) has them.
    public var rawValue: Int32 { Int32(bitPattern: bits & ~Self.clearsSetIDBit) }

    public var access: Access {
        switch rawValue & O_ACCMODE {
        case O_WRONLY: .write
        case O_RDWR: .readAndWrite
        default: .read
        }
    }

    public var truncates: Bool { rawValue & O_TRUNC != 0 }
    public var appends: Bool { rawValue & O_APPEND != 0 }
    public var isExclusive: Bool { rawValue & O_EXCL != 0 }
    /// Every write is to be durable before it is answered (O_SYNC, O_DSYNC).
    public var isSynchronous: Bool { rawValue & O_DSYNC != 0 }
    public var isDirect: Bool { rawValue & daleks_o_direct != 0 }

    /// The caller may not keep setuid and setgid when this open truncates: clear setuid, and setgid where the group
    /// may execute. Only asked once the kernel left that to us.
    public var clearsSetID: Bool { bits & Self.clearsSetIDBit != 0 }
}
