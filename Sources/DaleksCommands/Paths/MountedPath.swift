import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksSystem
import Glibc

/// A path of this machine that lies in a mount of ours.
struct MountedPath {
    /// As the kernel knows it.
    let path: String
    let mountPoint: String
    /// Nil where the mount does not say which daemon serves it.
    let control: ControlClient?

    private static let type = "fuse.daleks"

    /// Nil where the path lies elsewhere. What is not there yet counts as where its nearest folder is.
    init?(_ text: String) {
        guard let path = Self.real(text), let mount = Self.mount(of: path) else { return nil }
        self.path = path
        mountPoint = mount
        control = Self.fact("control", of: mount).map { socket in
            ControlClient(stateFolder: String(socket.dropLast(Places.controlSocket(in: "").utf8.count)))
        }
    }

    init(path: String, mountPoint: String, control: ControlClient?) {
        self.path = path
        self.mountPoint = mountPoint
        self.control = control
    }

    /// The names from the mount's root to the path.
    func names() throws(CommandFailure) -> [Name] {
        try AccountPath.names(String(path.dropFirst(mountPoint.utf8.count)), in: path)
    }

    /// By which the region knows what is there; nil where the mount cannot say (a link carries no facts).
    var node: NodeID? { Self.fact("node", of: path).flatMap { NodeID($0) } }

    /// The region that it is in: what others share may be in another than the account's own. Of what is not there yet,
    /// and of links, which carry no facts, it is the folder's.
    var region: String? { Self.fact("region", of: path) ?? above?.region }

    /// A folder that no region knows: `Shared`, and those of owners in it.
    var isOwnersFolder: Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && node == nil
    }

    /// Whether the region has not got it as it is here.
    var isPending: Bool { Self.fact("status", of: path) == "pending" }

    private static func fact(_ name: String, of path: String) -> String? {
        let bytes = try? Files.attribute("user.daleks.\(name)", of: path, bytesMax: Limits.pathBytesMax)
        return bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The innermost mount above it, where that is ours.
    private static func mount(of path: String) -> String? {
        var innermost: MountTable.Entry?
        for entry in MountTable.current() {
            let prefix = entry.path == "/" ? "/" : entry.path + "/"
            guard path == entry.path || path.hasPrefix(prefix) else { continue }
            if entry.path.utf8.count >= innermost?.path.utf8.count ?? 0 { innermost = entry }
        }
        return innermost?.type == type ? innermost?.path : nil
    }

    /// Absolute, with links in its folders resolved, but not one at its end.
    private static func real(_ text: String) -> String? {
        var (rest, missing): (Substring, [Substring]) = (text[...], [])
        while rest.utf8.count > 1, rest.hasSuffix("/") { rest = rest.dropLast() }
        // The last name stands for itself; `.` and `..` do not.
        var isLast = true
        while true {
            let slash = rest.lastIndex(of: "/")
            let name = slash.map { rest[rest.index(after: $0)...] } ?? rest
            if !isLast || [".", "..", ""].contains(name), let folder = resolved(String(rest)) {
                return missing.isEmpty ? folder : (folder == "/" ? "" : folder) + "/" + missing.joined(separator: "/")
            }
            guard ![".", "..", ""].contains(name) else { return nil }
            isLast = false
            missing.insert(name, at: 0)
            rest = slash.map { $0 == rest.startIndex ? "/" : rest[..<$0] } ?? "."
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let raw = realpath(path, nil) else { return nil }
        defer { free(raw) }
        return String(cString: raw)
    }
}

/// A path in an account's tree.
enum AccountPath {
    static let prefix = "daleks:"
    static let nodePrefix = "node:"

    /// The names in it; `text` is how the caller wrote it, for messages.
    static func names(_ path: String, in text: String) throws(CommandFailure) -> [Name] {
        var names: [Name] = []
        for word in path.split(separator: "/") where word != "." {
            guard word != ".." else { throw .usage("\(text): write the path without ..") }
            do throws(Name.Refusal) { names.append(try Name(word)) } catch {
                throw .usage("\(text): a name has 1 to \(Limits.nameBytesMax) bytes")
            }
        }
        return names
    }
}
