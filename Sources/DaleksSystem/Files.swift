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
}
