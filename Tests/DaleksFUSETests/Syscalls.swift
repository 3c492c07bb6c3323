import CFuse
import DaleksSystem
import Glibc

enum Seek {
    static let data: Int32 = 3
    static let hole: Int32 = 4
}

enum Xattr {
    static let create: Int32 = 1
}

/// System calls that Glibc's module leaves out because they need _GNU_SOURCE, found by name.
enum Syscalls {
    private static func find<Function>(_ name: String, as type: Function.Type) -> Function {
        guard let found = dlsym(nil, name) else { preconditionFailure("the C library has no \(name)") }
        // What the C library has under the name is a function, as wide as the pointer to it; whoever calls states the
        // type that its manual page gives.
        return unsafeBitCast(found, to: type)
    }

    static func renameat2(_ from: String, _ to: String, _ flags: UInt32) -> Int32 {
        typealias Function = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
        return find("renameat2", as: Function.self)(AT_FDCWD, from, AT_FDCWD, to, flags)
    }

    static func fallocate(_ file: Int32, _ mode: Int32, _ offset: Int, _ count: Int) -> Int32 {
        typealias Function = @convention(c) (Int32, Int32, Int, Int) -> Int32
        return find("fallocate", as: Function.self)(file, mode, offset, count)
    }

    static func copyFileRange(_ from: Int32, _ fromOffset: Int, _ to: Int32, _ toOffset: Int, _ count: Int) -> Int {
        typealias Offset = UnsafeMutablePointer<Int>
        typealias Function = @convention(c) (Int32, Offset, Int32, Offset, Int, UInt32) -> Int
        var (fromOffset, toOffset) = (fromOffset, toOffset)
        return find("copy_file_range", as: Function.self)(from, &fromOffset, to, &toOffset, count, 0)
    }

    /// The function, whose name Swift gives to the struct of fcntl.
    static func flock(_ file: Int32, _ operation: Int32) -> Int32 {
        typealias Function = @convention(c) (Int32, Int32) -> Int32
        return find("flock", as: Function.self)(file, operation)
    }

    static func setxattr(_ path: String, _ name: String, _ value: [UInt8], _ flags: Int32 = 0) -> Int32 {
        typealias Text = UnsafePointer<CChar>
        typealias Function = @convention(c) (Text, Text, UnsafePointer<UInt8>, Int, Int32) -> Int32
        return find("setxattr", as: Function.self)(path, name, value, value.count, flags)
    }

    static func getxattr(_ path: String, _ name: String, _ room: UnsafeMutablePointer<UInt8>?, _ count: Int) -> Int {
        typealias Text = UnsafePointer<CChar>
        typealias Function = @convention(c) (Text, Text, UnsafeMutablePointer<UInt8>?, Int) -> Int
        return find("getxattr", as: Function.self)(path, name, room, count)
    }

    static func listxattr(_ path: String, _ room: UnsafeMutablePointer<UInt8>?, _ count: Int) -> Int {
        typealias Function = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<UInt8>?, Int) -> Int
        return find("listxattr", as: Function.self)(path, room, count)
    }

    static func removexattr(_ path: String, _ name: String) -> Int32 {
        typealias Function = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Int32
        return find("removexattr", as: Function.self)(path, name)
    }

    static func getdents(_ folder: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        typealias Function = @convention(c) (Int32, UnsafeMutableRawPointer?, Int) -> Int
        return find("getdents64", as: Function.self)(folder, buffer.baseAddress, buffer.count)
    }

    /// Names as the kernel hands them out, through a buffer of that many bytes.
    static func names(in path: String, bufferBytes: Int) throws(Errno) -> [String] {
        let folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferBytes, alignment: 8)
        defer { buffer.deallocate() }
        var names: [String] = []
        while true {
            let count = getdents(folder.raw, buffer)
            if count == -1 { throw Errno.last }
            if count == 0 { return names }
            var place = 0
            while place < count {
                let length = Int(buffer.load(fromByteOffset: place + 16, as: UInt16.self))
                let name = UnsafeRawBufferPointer(rebasing: buffer[(place + 19)..<(place + length)]).prefix { $0 != 0 }
                names.append(String(decoding: name, as: UTF8.self))
                place += length
            }
        }
    }

    static func status(_ path: String) throws(Errno) -> stat {
        var status = stat()
        try checking { lstat(path, &status) }
        return status
    }
}
