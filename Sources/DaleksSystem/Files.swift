import DaleksCore
import Glibc

/// Whole files and folders, for settings, state and keys. Not for what the mount serves.
public enum Files {
    /// All bytes of a file, or `Errno.fileTooLarge` when it has more than `max`.
    public static func readAll(_ path: String, max: Int) throws(Errno) -> [UInt8] {
        let file = try FileDescriptor.open(path, O_RDONLY)
        var bytes: [UInt8] = []
        // One byte more than allowed is asked for, so that growth while we read is seen too.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(1 << 16, max + 1), alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let count = try file.read(into: buffer)
            if count == 0 { return bytes }
            guard bytes.count + count <= max else { throw .fileTooLarge }
            bytes += buffer[..<count]
        }
    }

    /// Makes or replaces a file in one step: whoever opens it sees the old bytes or the new, whole. A link at `path` is
    /// replaced, not followed. When durable, the new bytes and their name survive a power cut once this returns.
    public static func writeAtomically(
        _ path: String,
        _ bytes: [UInt8],
        mode: UInt32 = 0o600,
        durable: Bool = true
    ) throws(Errno) {
        let (folder, name) = split(path)
        guard !name.isEmpty else { throw .isDirectory }
        let directory = try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY)
        // In the same folder, so that the rename stays on one file system; a name that no other writer draws.
        let temporary = ".\(Hex.encode(Random.bytes(count: 8))).tmp"
        let file = try FileDescriptor.open(
            temporary,
            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
            mode: 0o600,
            in: directory.raw
        )
        do throws(Errno) {
            try file.writeAll(bytes)
            // After the writing: the mode may forbid it, and the process's umask has no say here.
            try checking { fchmod(file.raw, mode) }
            if durable { try file.synchronize() }
            try file.close()
            try checking { renameat(directory.raw, temporary, directory.raw, name) }
        } catch {
            _ = unlinkat(directory.raw, temporary, 0)
            throw error
        }
        if durable { try directory.synchronize() }
    }

    /// Makes a folder that only this user enters, and the folders above it that are missing. One that exists already is
    /// left as it is.
    public static func createPrivateDirectory(
        _ path: String,
        mode: UInt32 = 0o700,
        durable: Bool = true
    ) throws(Errno) {
        if mkdir(path, mode) == 0 {
            if durable { try synchronizeDirectory(split(path).folder) }
            return
        }
        switch Errno.last {
        case .exists:
            guard isDirectory(path) else { throw .notDirectory }
        case .noEntry:
            let parent = split(path).folder
            // A dangling link, or a name such as "" that has nothing above it.
            guard parent != path, parent != "." else { throw .noEntry }
            try createPrivateDirectory(parent, mode: mode, durable: durable)
            // Somebody else may make it between the two lines.
            if mkdir(path, mode) != 0 {
                let error = Errno.last
                guard error == .exists, isDirectory(path) else { throw error }
            }
            if durable { try synchronizeDirectory(parent) }
        case let error:
            throw error
        }
    }

    /// Removes a file, or a folder with all that is in it. Links are removed, not followed; what is missing already is
    /// no failure. Each level keeps a descriptor open, so it is for the shallow trees that state and tests have.
    public static func removeTree(_ path: String) throws(Errno) {
        try removeTree(Array(path.utf8CString), in: FileDescriptor.currentDirectory)
    }

    /// `name` ends with its NUL, and need not be UTF-8.
    private static func removeTree(_ name: [CChar], in folder: Int32) throws(Errno) {
        if unlinkat(folder, name, 0) == 0 { return }
        let error = Errno.last
        switch error {
        case .noEntry: return
        case .isDirectory, .notPermitted: break
        default: throw error
        }
        do throws(Errno) {
            let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
            let inside = FileDescriptor(owning: try retryingInterrupts { Shim.openat(folder, name, flags, 0) })
            for entry in try rawEntries(of: "/proc/self/fd/\(inside.raw)") { try removeTree(entry, in: inside.raw) }
        } catch .notDirectory {
            // A file that the folder above does not let us remove.
            throw error
        }
        try checking { unlinkat(folder, name, AT_REMOVEDIR) }
    }

    /// Names in a folder but `.` and `..`, as the file system orders them. One that is not UTF-8 is shown repaired.
    public static func entries(of folder: String) throws(Errno) -> [String] {
        try rawEntries(of: folder).map { name in
            String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    /// Gives a file another name, unless that is taken: `.exists`.
    public static func renameExclusively(_ path: String, _ newPath: String) throws(Errno) {
        // RENAME_NOREPLACE, which Glibc's module does not have.
        guard Shim.renameat2((AT_FDCWD, path), (AT_FDCWD, newPath), 1) == 0 else { throw Errno.last }
    }

    private static func rawEntries(of folder: String) throws(Errno) -> [[CChar]] {
        guard let stream = opendir(folder) else { throw Errno.last }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while true {
            // A null without an error is the end.
            errno = 0
            guard let entry = readdir(stream) else {
                let error = Errno.last
                if error.rawValue != 0 { throw error }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                raw.prefix { $0 != 0 }.map(CChar.init(bitPattern:)) + [0]
            }
            if name != [46, 0], name != [46, 46, 0] { names.append(name) }
        }
    }

    /// The entries of a folder survive a power cut when this returns.
    public static func synchronizeDirectory(_ path: String) throws(Errno) {
        try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// An extended attribute of what stands at the path itself, also where that is a link.
    public static func attribute(_ name: String, of path: String, bytesMax: Int) throws(Errno) -> [UInt8] {
        var value = [UInt8](repeating: 0, count: bytesMax)
        let count = value.withUnsafeMutableBytes { Shim.getAttribute(path, name, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw .last }
        return Array(value[..<count])
    }

    public static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The folder of a path and the last name in it; slashes at the end do not count.
    private static func split(_ path: String) -> (folder: String, name: String) {
        var rest = Substring(path)
        while rest.count > 1, rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let slash = rest.lastIndex(of: "/") else { return (".", String(rest)) }
        let folder = rest[..<slash]
        return (folder.isEmpty ? "/" : String(folder), String(rest[rest.index(after: slash)...]))
    }
}
