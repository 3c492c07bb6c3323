import Glibc

/// What is mounted where, as /proc/self/mountinfo says: reading it asks no file system anything, so a silent one
/// cannot hold us up.
public enum MountTable {
    public struct Entry: Hashable, Sendable {
        /// `major:minor` of the file system's device number.
        public let device: String
        public let path: String
        public let type: String
    }

    /// The table of a machine with a hundred thousand mounts is still below this.
    private static let bytesMax = 64 << 20

    /// Later ones lie over earlier ones at the same path.
    public static func current() -> [Entry] {
        guard let text = read("/proc/self/mountinfo") else { return [] }
        return entries(in: text)
    }

    /// The uppermost at exactly this path.
    public static func mount(at path: String) -> Entry? { current().last { $0.path == path } }

    /// `ID PARENT DEVICE ROOT PATH OPTIONS [TAGS…] - TYPE SOURCE OPTIONS`, one a line.
    public static func entries(in text: [UInt8]) -> [Entry] {
        text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count > 6, let dash = fields.dropFirst(6).firstIndex(where: { $0.elementsEqual("-".utf8) }),
                dash + 1 < fields.count
            else { return nil }
            return Entry(
                device: String(decoding: fields[2], as: UTF8.self),
                path: String(decoding: unescaped(fields[4]), as: UTF8.self),
                type: String(decoding: fields[dash + 1], as: UTF8.self)
            )
        }
    }

    /// Spaces, tabs, newlines and backslashes are written as a backslash and three octal digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3,
                digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) })
            else {
                result.append(byte)
                continue
            }
            result.append(digits.reduce(0) { ($0 &<< 3) | ($1 - UInt8(ascii: "0")) })
            rest = rest.dropFirst(3)
        }
        return result
    }

    private static func read(_ path: String) -> [UInt8]? {
        guard let file = try? FileDescriptor.open(path, O_RDONLY) else { return nil }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while result.count < bytesMax {
            let count = buffer.withUnsafeMutableBytes { (try? file.read(into: $0)) ?? 0 }
            if count == 0 { break }
            result += buffer[..<count]
        }
        return result
    }
}
