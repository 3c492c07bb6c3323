import DaleksSystem
import Glibc

/// What Linux has and the module of its C library does not tell Swift of.
enum LinuxCalls {
    /// F_OFD_SETLKW: a lock of the open file, which excludes other open files of the same process too.
    private static let openFileLock: Int32 = 38

    enum RenameFlag: UInt32 {
        case plain = 0
        case noReplace = 1
        case exchange = 2
    }

    private typealias Rename =
        @convention(c) @Sendable (
            Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32
        ) -> Int32

    private typealias Attribute =
        @convention(c) @Sendable (
            Int32, UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int
        ) -> Int

    // The C library stays as long as the program, and has had these functions, so declared, since 2018.
    private static let fgetxattr = unsafeBitCast(dlsym(nil, "fgetxattr"), to: Attribute.self)
    // As above.
    private static let renameat2 = unsafeBitCast(dlsym(nil, "renameat2"), to: Rename.self)

    static func rename(_ path: String, to other: String, _ flag: RenameFlag = .plain) throws(Errno) {
        try checking { renameat2(AT_FDCWD, path, AT_FDCWD, other, flag.rawValue) }
    }

    /// By which the region knows an open file.
    static func nodeID(of file: Int32) throws(Errno) -> String {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = bytes.withUnsafeMutableBytes { fgetxattr(file, "user.daleks.node", $0.baseAddress, $0.count) }
        guard count >= 0 else { throw .last }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    /// All that an open file has, wherever its position is.
    static func content(of file: Int32, max: Int = 1 << 20) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max)
        var total = 0
        while total < max {
            let count = try retryingInterrupts {
                bytes.withUnsafeMutableBytes {
                    pread(file, $0.baseAddress?.advanced(by: total), max - total, off_t(total))
                }
            }
            if count == 0 { break }
            total += count
        }
        return Array(bytes[..<total])
    }

    static func lock(_ file: Int32, _ operation: Int32) throws(Errno) {
        try retryingInterrupts { flock(file, operation) }
    }

    /// Waits for a lock of the whole file, or gives it back (F_UNLCK).
    static func lockOpenFile(_ file: Int32, _ kind: Int32) throws(Errno) {
        var range = Glibc.flock()
        range.l_type = Int16(kind)
        range.l_whence = Int16(SEEK_SET)
        try retryingInterrupts { fcntl(file, openFileLock, &range) }
    }
}
