import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct FileDescriptorTests {
    private let folder = ScratchFolder()

    private func isOpen(_ raw: Int32) -> Bool {
        var status = stat()
        return fstat(raw, &status) == 0
    }

    @Test func `a descriptor is closed once, by whoever had it last`() throws {
        // A number of its own, high above those that other tests open meanwhile.
        func high() throws -> FileDescriptor {
            let low = try FileDescriptor.open("/dev/null", O_RDONLY)
            let raw = dup2(low.raw, 900)
            return FileDescriptor(owning: raw)
        }
        do { _ = try high() }
        #expect(!isOpen(900))
        let released = try high().release()
        #expect(isOpen(released))
        try FileDescriptor(owning: released).close()
        #expect(!isOpen(900))
        #expect(throws: Errno.badDescriptor) { try FileDescriptor(owning: 900).close() }
    }

    @Test func `open closes on exec and starts at the folder named`() throws {
        try folder.write([1, 2, 3], to: "file")
        let directory = try FileDescriptor.open(folder.path, O_RDONLY | O_DIRECTORY)
        let file = try FileDescriptor.open("file", O_RDONLY, in: directory.raw)
        let flags = try String(decoding: Files.readAll("/proc/self/fdinfo/\(file.raw)", max: 4_096), as: UTF8.self)
        // O_CLOEXEC is 02000000 in the octal flags.
        let line = try #require(flags.split(separator: "\n").first { $0.hasPrefix("flags:") })
        let value = try #require(Int(line.split(separator: "\t")[1], radix: 8))
        #expect(value & Int(O_CLOEXEC) != 0)
        #expect(try file.status().st_size == 3)
        #expect(throws: Errno.noEntry) { _ = try FileDescriptor.open("absent", O_RDONLY, in: directory.raw) }
    }

    @Test func `reads and writes at an offset are whole, and a short read is the end`() throws {
        let file = try FileDescriptor.open(folder.path("f"), O_RDWR | O_CREAT)
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
        try bytes.withUnsafeBytes { try file.write($0, at: 500) }
        try file.synchronizeData()
        try file.synchronize()
        var back = [UInt8](repeating: 0xff, count: 2_000)
        let count = try back.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        #expect(count == 1_500)
        #expect(back[..<500].allSatisfy { $0 == 0 })
        #expect(Array(back[500..<1_500]) == bytes)
        try file.truncate(to: 10)
        #expect(try file.status().st_size == 10)
        #expect(try back.withUnsafeMutableBytes { try file.read(into: $0, at: 10) } == 0)
        #expect(throws: Errno.invalid) { try back.withUnsafeMutableBytes { _ = try file.read(into: $0, at: -1) } }
        #expect(throws: Errno.invalid) { try file.truncate(to: -1) }
    }

    @Test func `a pipe carries all that was written, more than it holds`() throws {
        let pipe = try Pipe()
        let raw = pipe.writing.raw
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 * 13) }
        let writer = Thread(name: "writer") {
            // Borrowed: the pipe outlives the thread, which is joined below.
            let end = FileDescriptor(owning: raw)
            try? end.writeAll(bytes)
            _ = end.release()
        }
        var back: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 7_000)
        while back.count < bytes.count {
            let count = try buffer.withUnsafeMutableBytes { try pipe.reading.read(into: $0) }
            back += buffer[..<count]
        }
        writer.join()
        #expect(back == bytes)
        #expect(pipe.reading.raw > 2 && pipe.writing.raw > 2)
    }

    @Test func `a pipe that would block says so when asked to`() throws {
        let pipe = try Pipe()
        try pipe.reading.setNonblocking()
        var byte: UInt8 = 0
        #expect(throws: Errno.tryAgain) {
            try withUnsafeMutableBytes(of: &byte) { _ = try pipe.reading.read(into: $0) }
        }
    }

    @Test func `a duplicate has a life of its own`() throws {
        try folder.write([5], to: "file")
        let first = try FileDescriptor.open(folder.path("file"), O_RDONLY)
        let second = try first.duplicate()
        #expect(second.raw != first.raw)
        try first.close()
        var byte = [UInt8](repeating: 0, count: 1)
        #expect(try byte.withUnsafeMutableBytes { try second.read(into: $0, at: 0) } == 1)
        #expect(byte == [5])
    }

    @Test(arguments: [
        (Errno.noEntry, "No such file or directory"), (.io, "Input/output error"), (.quota, "Disk quota exceeded"),
        (Errno(rawValue: 99_999), "error 99999"),
    ])
    func `an error speaks the C library's words`(error: Errno, text: String) {
        #expect(error.description == text)
    }

    @Test func `interrupted calls are repeated, others are thrown`() {
        var left = 3
        let result = try? retryingInterrupts { () -> Int32 in
            left -= 1
            errno = EINTR
            return left == 0 ? 17 : -1
        }
        #expect(result == 17)
        #expect(throws: Errno.io) {
            try retryingInterrupts { () -> Int32 in
                errno = EIO
                return -1
            }
        }
        #expect(throws: Errno.interrupted) {
            try checking { () -> Int32 in
                errno = EINTR
                return -1
            }
        }
    }
}
