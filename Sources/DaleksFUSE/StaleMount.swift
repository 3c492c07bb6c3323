import DaleksCore
import DaleksSystem
import Glibc

/// The mount of a daemon that died: the folder answers ENOTCONN until somebody unmounts it.
public enum StaleMount {
    public enum State: Sendable {
        /// Nothing of FUSE is mounted there.
        case none
        case alive
        case stale
        /// It is somebody else's and does not let us look.
        case hidden
        /// It has not answered within `Limits.FUSE.probeTimeout`; its daemon may be busy or stuck.
        case silent
    }

    /// Asks the mount something that is never answered from the kernel's memory. Opening its folder is no such thing:
    /// where a daemon left that to the kernel, the kernel goes on with it after the daemon's death. But it tells who is
    /// not let in, which statfs does not.
    ///
    /// Should its daemon be stuck, the question stays unanswered on a thread of its own until that daemon ends.
    public static func state(at path: String) -> State {
        guard let path = try? MountPoint.absolute(path), let mount = MountTable.mount(at: path),
            mount.type.hasPrefix("fuse")
        else { return .none }
        let answer = Condition<Errno??>(nil)
        _ = Thread(name: "stale-probe") {
            var error: Errno?
            do throws(Errno) {
                let folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
                try folder.close()
                _ = try Files.space(at: path)
            } catch let reason { error = reason }
            answer.withLock { $0 = .some(error) }
            answer.broadcast()
        }
        guard let error = answer.wait(timeout: Limits.FUSE.probeTimeout, until: { $0 }) else { return .silent }
        switch error {
        case Errno.notConnected?: return .stale
        case Errno.accessDenied?, Errno.notPermitted?: return .hidden
        default: return .alive
        }
    }

    /// Ends the connection of a mount whose daemon was killed and cannot die: a thread of it waits in the kernel for a
    /// folder that a program holds, which waits for the daemon. All that the process had open stays open until one of
    /// them gives up: the connection, and the lock of its folder. True where there was such a mount; it is stale soon.
    ///
    /// The daemon is known by the lock that it holds, and nothing is touched while it lives.
    public static func abort(_ path: String, ofDead process: Int32, subtype: String = "daleks") -> Bool {
        guard let path = try? MountPoint.absolute(path), let mount = MountTable.mount(at: path),
            mount.type == "fuse.\(subtype)", isDying(process),
            let connection = mount.device.split(separator: ":").last
        else { return false }
        if let file = try? FileDescriptor.open("/sys/fs/fuse/connections/\(connection)/abort", O_WRONLY),
            (try? file.writeAll(Array("1".utf8))) != nil
        {
            return true
        }
        // Where that is not shown, root can unmount by force: the connection ends first, whether or not the mount goes.
        return umount2(path, Int32(MNT_FORCE)) == 0 || errno == EBUSY
    }

    /// Whether its main thread has ended and others have not.
    private static func isDying(_ process: Int32) -> Bool {
        guard let bytes = try? Files.readAll("/proc/\(process)/stat", max: 4_096) else { return false }
        // The name, in parentheses, may hold anything.
        let state = String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.dropFirst().first
        return state == "Z" || state == "X"
    }

    /// Unmounts a dead daemon's mount of ours, lazily; true if there was one.
    ///
    /// Nothing that is alive, or of another kind than `subtype`, is touched.
    @discardableResult
    public static func heal(_ path: String, subtype: String = "daleks") throws(FUSEError) -> Bool {
        let path = try MountPoint.absolute(path)
        guard let mount = MountTable.mount(at: path), mount.type == "fuse.\(subtype)", state(at: path) == .stale else {
            return false
        }
        try Mounter.unmount(path, device: mount.device, lazily: true)
        return true
    }
}
