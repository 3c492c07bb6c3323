import CFuse
import Glibc

/// A byte-range lock as fcntl has them.
public struct FUSELock: Hashable, Sendable {
    public enum Kind: Sendable { case read, write, unlock }

    public var kind: Kind
    public var start: Int64
    /// The last byte that belongs to it; `Int64.max` is the end of the file, wherever that moves.
    public var end: Int64
    public var processID: Int32

    public init(kind: Kind, start: Int64 = 0, end: Int64 = .max, processID: Int32 = 0) {
        self.kind = kind
        self.start = start
        self.end = end
        self.processID = processID
    }

    init(_ lock: flock) {
        kind =
            switch Int32(lock.l_type) {
            case F_RDLCK: .read
            case F_WRLCK: .write
            default: .unlock
            }
        start = Int64(lock.l_start)
        // libfuse says 0 for a lock without an end.
        end = lock.l_len == 0 ? .max : Int64(lock.l_start) &+ Int64(lock.l_len) &- 1
        processID = lock.l_pid
    }

    var raw: flock {
        let type =
            switch kind {
            case .read: F_RDLCK
            case .write: F_WRLCK
            case .unlock: F_UNLCK
            }
        return flock(
            l_type: Int16(type),
            l_whence: Int16(SEEK_SET),
            l_start: Int(start),
            l_len: end == .max ? 0 : Int(end &- start &+ 1),
            l_pid: processID
        )
    }
}
