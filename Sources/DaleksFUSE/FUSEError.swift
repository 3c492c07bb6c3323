public import DaleksSystem

/// Why a mount, a session or an unmount failed. Each description says what to do.
public enum FUSEError: Error, Equatable, Sendable {
    case option(String)
    case deviceMissing
    case deviceRefused(Errno)
    case helperMissing
    case mountPointMissing(String)
    case mountPointNotDirectory(String)
    case mountPointNotEmpty(String)
    /// Something is mounted there; its type.
    case mountPointBusy(String, String)
    /// A daemon died and left its mount behind.
    case mountPointStale(String)
    case mountPointRefused(String, Errno)
    /// The kernel or fusermount3 refused; what it said.
    case mountRefused(String, String)
    case unmountBusy(String)
    case unmountRefused(String, String)
    case kernelTooOld(UInt32, UInt32)
    case libraryRefused(String)
    case system(String, Errno)
}

extension FUSEError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .option(let text): text
        case .deviceMissing:
            "/dev/fuse is missing: load the module with `modprobe fuse`, or give the container the device"
        case .deviceRefused(let error):
            "/dev/fuse cannot be opened (\(error)): allow this user with `chmod 0666 /dev/fuse`, or run as root"
        case .helperMissing:
            "fusermount3 was not found, without which only root can mount: install the package fuse3"
        case .mountPointMissing(let path): "\(path) does not exist: make it with `mkdir -p \(path)`"
        case .mountPointNotDirectory(let path): "\(path) is not a folder: name one to mount on"
        case .mountPointNotEmpty(let path):
            "\(path) is not empty, and what is in it would be out of sight: name an empty folder"
        case .mountPointBusy(let path, let type):
            "\(path) already has a file system (\(type)): "
                + "unmount it with `fusermount3 -u \(path)`, or name another folder"
        case .mountPointStale(let path):
            "\(path) has the mount of a daemon that died: remove it with `fusermount3 -u -z \(path)`"
        case .mountPointRefused(let path, let error):
            "\(path) cannot be mounted on (\(error)): name a folder that you own and may write to"
        case .mountRefused(let path, let detail): "mounting on \(path) was refused: \(detail)"
        case .unmountBusy(let path):
            "\(path) is in use: close what is open there (`fuser -vm \(path)` lists it), or unmount lazily"
        case .unmountRefused(let path, let detail): "unmounting \(path) was refused: \(detail)"
        case .kernelTooOld(let major, let minor):
            "the kernel speaks FUSE \(major).\(minor), which is too old: Linux 4.20 or later is needed"
        case .libraryRefused(let detail): "libfuse refused: \(detail)"
        case .system(let what, let error): "\(what) failed: \(error)"
        }
    }
}
