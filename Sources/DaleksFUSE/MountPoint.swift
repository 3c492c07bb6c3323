import DaleksSystem
import Glibc

/// Whether a folder can be mounted on, found out before the kernel is asked, which would only say EBUSY or EINVAL.
enum MountPoint {
    /// The path as the mount table will show it.
    static func checked(_ path: String, _ options: FUSEMountOptions) throws(FUSEError) -> String {
        let path = try absolute(path)
        // First the table, which answers even where what is mounted there does not.
        if let mount = MountTable.mount(at: path), mount.type.hasPrefix("fuse") {
            if StaleMount.state(at: path) == .stale { throw .mountPointStale(path) }
            throw .mountPointBusy(path, mount.type)
        }
        let isEmpty = try isEmptyFolder(path)
        guard isEmpty || options.allowsNonEmpty else { throw .mountPointNotEmpty(path) }
        return path
    }

    /// Without symbolic links, and without touching the last component unless it is one.
    static func absolute(_ path: String) throws(FUSEError) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.last == "/" { trimmed = trimmed.dropLast() }
        guard !trimmed.isEmpty else { throw .mountPointMissing(path) }
        let slash = trimmed.lastIndex(of: "/")
        let name = slash.map { trimmed[trimmed.index(after: $0)...] } ?? trimmed
        if ["", ".", ".."].contains(name) { return try resolved(String(trimmed)) }
        let parent = slash.map { $0 == trimmed.startIndex ? "/" : String(trimmed[..<$0]) } ?? "."
        let folder = try resolved(parent)
        let candidate = folder == "/" ? "/\(name)" : "\(folder)/\(name)"
        if MountTable.mount(at: candidate) != nil { return candidate }
        return try resolved(candidate)
    }

    private static func resolved(_ path: String) throws(FUSEError) -> String {
        guard let raw = realpath(path, nil) else { throw refusal(path, Errno.last) }
        defer { free(raw) }
        return String(cString: raw)
    }

    private static func isEmptyFolder(_ path: String) throws(FUSEError) -> Bool {
        guard let folder = opendir(path) else { throw refusal(path, Errno.last) }
        defer { closedir(folder) }
        var count = 0
        // Two entries are the folder itself and its parent.
        while count < 3, readdir(folder) != nil { count += 1 }
        return count < 3
    }

    private static func refusal(_ path: String, _ error: Errno) -> FUSEError {
        if error == .noEntry { return .mountPointMissing(path) }
        if error == .notDirectory { return .mountPointNotDirectory(path) }
        if error == .notConnected { return .mountPointStale(path) }
        return .mountPointRefused(path, error)
    }
}
