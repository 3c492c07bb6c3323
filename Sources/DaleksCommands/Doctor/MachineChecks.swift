import DaleksCore
import DaleksSystem
import Glibc

/// What this machine has to have before anything can be mounted.
struct MachineChecks {
    let environment: [String: String]
    let stateFolder: String

    func run() -> [Finding] { [kernel(), device(), helper(), allowOther(), disk()] + mounts() }

    /// The oldest kernel that the mount's way of speaking with it was made for.
    private static let kernelMin = (5, 4)

    private func kernel() -> Finding {
        var names = utsname()
        uname(&names)
        let release = withUnsafeBytes(of: &names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) < Self.kernelMin else {
            return .fine("kernel", "Linux \(release)")
        }
        return Finding(
            check: "kernel",
            level: .warning,
            text:
                "Linux \(release) is older than \(Self.kernelMin.0).\(Self.kernelMin.1), for which the mount was made",
            cure: "sudo apt full-upgrade && sudo reboot"
        )
    }

    private func device() -> Finding {
        let path = "/dev/fuse"
        do throws(Errno) {
            try FileDescriptor.open(path, O_RDWR).close()
            return .fine("fuse", "\(path) can be opened")
        } catch {
            switch error {
            case .accessDenied, .notPermitted:
                return Finding(
                    check: "fuse",
                    level: .broken,
                    text: "\(path) may not be opened by you",
                    cure: "sudo chmod 0666 \(path)"
                )
            default:
                return Finding(
                    check: "fuse",
                    level: .broken,
                    text: "\(path) cannot be opened: \(error)",
                    cure: "sudo modprobe fuse   (in a container: start it with --device /dev/fuse)"
                )
            }
        }
    }

    private func helper() -> Finding {
        let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let candidates: [String] = folders.map { folder in "\(folder)/fusermount3" }
        let path = candidates.first { path in access(path, X_OK) == 0 }
        if getuid() == 0 {
            // Root mounts by itself.
            return .fine("fusermount3", path ?? "not needed by root")
        }
        guard let path else {
            return Finding(
                check: "fusermount3",
                level: .broken,
                text: "it is in no folder of PATH, and only root mounts without it",
                cure: "sudo apt install fuse3"
            )
        }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_ISUID == 0 || status.st_uid != 0 {
            return Finding(
                check: "fusermount3",
                level: .broken,
                text: "\(path) does not run as root",
                cure: "sudo apt install --reinstall fuse3"
            )
        }
        return .fine("fusermount3", path)
    }

    private func allowOther() -> Finding {
        let bytes = (try? Files.readAll("/etc/fuse.conf", max: 1 << 16)) ?? []
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        if getuid() == 0 || lines.contains(where: { $0.split(separator: " ").first == "user_allow_other" }) {
            return .fine("user_allow_other", "-o allow_other may be used")
        }
        return Finding(
            check: "user_allow_other",
            level: .note,
            text: "not set, so -o allow_other is for root only",
            cure: "echo user_allow_other | sudo tee -a /etc/fuse.conf"
        )
    }

    /// What the daemon leaves to others; its writes fail before it is touched.
    private static let reserveBytes: Int64 = 1 << 30

    private func disk() -> Finding {
        // Of a folder that is not there yet, the nearest one above it.
        var folder = stateFolder
        while access(folder, F_OK) != 0, let slash = folder.lastIndex(of: "/"), folder != "/" {
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
        guard access(folder, W_OK) == 0 else {
            return Finding(
                check: "cache",
                level: .broken,
                text: "\(folder) cannot be written to: \(Errno.last)",
                cure: "sudo chown -R \(getuid()):\(getgid()) '\(folder)'   (or choose another folder with --state)"
            )
        }
        guard let space = try? Files.space(at: folder) else {
            return Finding(check: "cache", level: .warning, text: "\(folder) does not tell how full it is")
        }
        let shown = "\(Shown.bytes(space.freeBytes)) free of \(Shown.bytes(space.totalBytes)) at \(folder)"
        if space.freeBytes < Self.reserveBytes {
            return Finding(
                check: "cache",
                level: .broken,
                text: "\(shown): writes fail below \(Shown.bytes(Self.reserveBytes)) (--cache-reserve)",
                cure: "du -xh -d1 '\(folder)' | sort -h   (and remove what is not needed)"
            )
        }
        return space.freeBytes < 2 * Self.reserveBytes
            ? Finding(check: "cache", level: .warning, text: "only \(shown)", cure: "df -h '\(folder)'")
            : .fine("cache", shown)
    }

    private func mounts() -> [Finding] {
        let mounts = MountTable.current().filter { $0.type == "fuse.daleks" }
        if mounts.isEmpty {
            return [Finding(check: "mounts", level: .note, text: "nothing is mounted", cure: "daleks mount")]
        }
        return Set(mounts.map(\.path)).sorted().map(state(of:))
    }

    /// Asks the mount on a thread of its own: one that hangs must not hang us. Whether its daemon lives is asked by
    /// statfs: the kernel opens folders without the daemon.
    private func state(of path: String) -> Finding {
        let answer = Condition<Errno??>(nil)
        _ = Thread(name: "mount-probe") {
            var error: Errno?
            do throws(Errno) {
                try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY).close()
                _ = try Files.space(at: path)
            } catch let reason { error = reason }
            answer.withLock { $0 = .some(error) }
            answer.broadcast()
        }
        switch answer.wait(timeout: .seconds(3), until: { $0 }) {
        case .some(.some(.notConnected)):
            return Finding(
                check: "mounts",
                level: .broken,
                text: "\(path) is left over from a daemon that died",
                cure: "fusermount3 -u '\(path)' && daleks mount '\(path)'"
            )
        case .some(.some(let error)) where error != .accessDenied && error != .notPermitted:
            return Finding(check: "mounts", level: .broken, text: "\(path): \(error)", cure: "daleks umount --now")
        case .some: return .fine("mounts", "\(path) answers")
        case nil:
            return Finding(
                check: "mounts",
                level: .warning,
                text: "\(path) has not answered for three seconds",
                cure: "daleks status"
            )
        }
    }
}
