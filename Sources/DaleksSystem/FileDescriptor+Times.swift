public import DaleksCore
import Glibc

extension FileDescriptor {
    /// A file without a name in that folder's file system: it is gone when it is closed, or with the process.
    public static func openNameless(in folder: String) throws(Errno) -> FileDescriptor {
        do throws(Errno) {
            return FileDescriptor(owning: try retryingInterrupts { Shim.openNameless(in: folder) })
        } catch {
            // Not every file system can; there the name is taken away at once.
            guard error == .notSupported || error == .isDirectory else { throw error }
            let path = "\(folder)/.nameless-\(Hex.encode(Random.bytes(count: 8)))"
            let file = try open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
            try checking { unlink(path) }
            return file
        }
    }

    /// Sets the modification time and leaves the access time alone.
    public borrowing func setModificationTime(_ time: Timestamp) throws(Errno) {
        // UTIME_OMIT, a macro that Swift does not see.
        let omit = (1 << 30) - 2
        let times = [
            timespec(tv_sec: 0, tv_nsec: omit),
            timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanosecondsOfSecond)),
        ]
        try checking { futimens(raw, times) }
    }
}
