import CFuse
import DaleksSystem
import Glibc

/// Makes and removes mounts: root by system call, others through the helper fusermount3, which is setuid.
///
/// libfuse could do this too, but says why not on standard error only, forks a process that has threads, and at the end
/// unmounts whatever is then at the path.
enum Mounter {
    private static let device = "/dev/fuse"

    /// The connection of the new mount. `path` has been checked.
    static func mount(_ path: String, _ options: FUSEMountOptions) throws(FUSEError) -> FileDescriptor {
        if let connection = options.connection { return try adopt(connection, path) }
        guard access(device, F_OK) == 0 else { throw .deviceMissing }
        guard geteuid() == 0 else { return try MountHelper.mount(path, options) }
        let connection: FileDescriptor
        do throws(Errno) {
            connection = try FileDescriptor.open(device, O_RDWR)
        } catch {
            throw error == .noDevice || error == .noSuchDevice || error == .noEntry
                ? .deviceMissing : .deviceRefused(error)
        }
        do throws(Errno) {
            try mount(connection.raw, path, options)
        } catch {
            switch error {
            // Root of a container that may not mount: the helper may be better off.
            case .notPermitted: return try MountHelper.mount(path, options)
            case .busy: throw .mountPointBusy(path, "busy")
            case .noDevice: throw .deviceMissing
            case .noEntry: throw .mountPointMissing(path)
            default: throw .mountRefused(path, "\(error)")
            }
        }
        return connection
    }

    /// The connection of a mount that another made for us.
    private static func adopt(_ raw: Int32, _ path: String) throws(FUSEError) -> FileDescriptor {
        var facts = stat()
        // Character device 10, 229: anything else was never a connection.
        guard fstat(raw, &facts) == 0, facts.st_mode & S_IFMT == S_IFCHR, facts.st_rdev == 10 << 8 | 229,
            MountTable.mount(at: path)?.type.hasPrefix("fuse") == true
        else { throw .option("descriptor \(raw) is no connection to a mount at \(path)") }
        // What we start must not keep it.
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
        return FileDescriptor(owning: raw)
    }

    private static func mount(_ descriptor: Int32, _ path: String, _ options: FUSEMountOptions) throws(Errno) {
        let words =
            ["fd=\(descriptor)", "rootmode=40000", "user_id=\(getuid())", "group_id=\(getgid())"]
            + options.kernelOptions
        let text = words.joined(separator: ",")
        let type = "fuse.\(options.subtype)"
        try checking { text.withCString { Glibc.mount(options.source, path, type, options.flags, $0) } }
    }

    /// `device` guards against unmounting what another has mounted at the same path since.
    static func unmount(_ path: String, device: String?, lazily: Bool) throws(FUSEError) {
        guard let current = MountTable.mount(at: path), device == nil || current.device == device else { return }
        // A symbolic link put in the path's place meanwhile is not followed.
        let flags = Int32(UMOUNT_NOFOLLOW) | (lazily ? Int32(MNT_DETACH) : 0)
        if umount2(path, flags) == 0 { return }
        let error = Errno.last
        switch error {
        case .busy: throw .unmountBusy(path)
        case .notPermitted: try MountHelper.unmount(path, lazily: lazily)
        case .invalid, .noEntry: return
        default: throw .unmountRefused(path, "\(error)")
        }
    }
}

extension FUSEMountOptions {
    /// For mount(2).
    fileprivate var flags: UInt {
        var flags: UInt = 0
        if isReadOnly { flags |= UInt(MS_RDONLY) }
        if ignoresSetID { flags |= UInt(MS_NOSUID) }
        if ignoresDevices { flags |= UInt(MS_NODEV) }
        if forbidsExecution { flags |= UInt(MS_NOEXEC) }
        return flags
    }
}
