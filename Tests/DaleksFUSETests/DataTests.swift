import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

@Suite(.needsFUSE)
struct DataTests {
    private static let bytes = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }

    private func read(_ path: String) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: Self.bytes.count + 1)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return Array(bytes[..<count])
    }

    private func backing() throws -> FileDescriptor {
        let path = try MountFixture.makeFolder()
        defer { rmdir(path) }
        let file = try FileDescriptor.open("\(path)/backing", O_RDWR | O_CREAT)
        unlink("\(path)/backing")
        try Self.bytes.withUnsafeBytes { try file.write($0, at: 0) }
        return file
    }

    @Test(arguments: ["fill", "memory", "parts", "descriptor"], [false, true])
    func `data comes whole from the thread's buffer, memory, parts and a descriptor, spliced or not`(
        _ kind: String,
        _ splices: Bool
    ) throws {
        let mount = try MountFixture(MemoryTree(backing: try backing())) { $0.splicesReplies = splices }
        let owner = FUSERequest(userID: 0, groupID: 0, processID: 0, umask: 0)
        _ = mount.tree.make(owner, parent: 1, name: Array("\(kind)-file".utf8), mode: S_IFREG | 0o644)
        mount.tree.change(2) { node in
            node.data = Self.bytes
            node.attributes.size = Int64(Self.bytes.count)
        }

        let back = try read(mount.file("\(kind)-file"))

        #expect(back == Self.bytes)
        #expect(mount.session.connection?.splicesReplies == splices)
    }

    @Test func `a write of a mebibyte is one request`() throws {
        let mount = try MountFixture()
        let file = try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT)

        try Self.bytes[..<(1 << 20)].withUnsafeBytes { try file.write($0, at: 0) }

        #expect(mount.tree.count("write") == 1)
        #expect(mount.session.connection?.writeBytesMax == 1 << 20)
    }

    @Test func `an error thrown while filling is what read reports`() throws {
        let mount = try MountFixture()
        let file = try FileDescriptor.open(mount.file("broken-file"), O_RDWR | O_CREAT)
        try file.writeAll([1, 2, 3])
        try mount.session.invalidateInode(2)

        var byte: UInt8 = 0
        #expect(pread(file.raw, &byte, 1, 0) == -1)
        #expect(Errno.last == .timedOut)
    }

    @Test func `many threads write and read their own files at once`() throws {
        let mount = try MountFixture(threads: 8)
        let failures = Lock(0)
        let path = mount.path

        let threads = (0..<8).map { number in
            Thread(name: "writer") {
                for round in 0..<20 {
                    let bytes = [UInt8](repeating: UInt8(number * 20 + round), count: 5_000)
                    var back = [UInt8](repeating: 0, count: 5_000)
                    do throws(Errno) {
                        let file = try FileDescriptor.open("\(path)/\(number)", O_RDWR | O_CREAT | O_DSYNC)
                        try file.writeAll(bytes)
                        var failure: Errno?
                        back.withUnsafeMutableBytes { buffer in
                            do throws(Errno) { _ = try file.read(into: buffer, at: 0) } catch { failure = error }
                        }
                        if failure != nil || back != bytes { failures.withLock { $0 += 1 } }
                    } catch {
                        failures.withLock { $0 += 1 }
                    }
                }
            }
        }
        for thread in threads { thread.join() }

        #expect(failures.withLock { $0 } == 0)
    }
}
