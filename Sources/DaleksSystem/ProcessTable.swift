import Glibc

/// The processes of this machine, as /proc has them.
public enum ProcessTable {
    public struct Entry: Hashable, Sendable {
        public let id: Int32
        /// Up to 15 bytes of the program's name, as the kernel keeps it.
        public let name: String
    }

    /// Which of them have their working folder, their program or an open file in a folder. Of others' processes only
    /// root sees it. Nobody asks the folder itself, so one that does not answer holds nobody up.
    public static func users(of folder: String) -> [Entry] {
        let ids = ((try? Files.entries(of: "/proc")) ?? []).compactMap { Int32($0) }.sorted()
        return ids.filter { $0 != getpid() && uses($0, folder) }.map { Entry(id: $0, name: name(of: $0)) }
    }

    /// Whether a process works still. One that ended, and of which nobody has taken note yet, does not.
    public static func isAlive(_ id: Int32) -> Bool {
        guard kill(id, 0) == 0 || errno == EPERM else { return false }
        guard let bytes = try? Files.readAll("/proc/\(id)/stat", max: 4_096) else { return false }
        // "ID (NAME) STATE …", and a name may have parentheses too.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")), end + 2 < bytes.count else { return true }
        return ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(bytes[end + 2])
    }

    private static func uses(_ id: Int32, _ folder: String) -> Bool {
        let links = ["cwd", "root", "exe"].map { "/proc/\(id)/\($0)" }
        let open = ((try? Files.entries(of: "/proc/\(id)/fd")) ?? []).map { "/proc/\(id)/fd/\($0)" }
        return (links + open).contains { link in
            guard let target = target(of: link) else { return false }
            return target == folder || target.hasPrefix(folder + "/")
        }
    }

    private static func target(of link: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(link, start, buffer.count)
            guard count > 0 else { return nil }
            return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    private static func name(of id: Int32) -> String {
        let bytes = (try? Files.readAll("/proc/\(id)/comm", max: 64)) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
