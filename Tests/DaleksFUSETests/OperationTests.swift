import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

@Suite(.needsFUSE)
struct OperationTests {
    @Test func `a file is created, written, read, truncated and removed`() throws {
        let mount = try MountFixture()
        let path = mount.file("a")
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

        do {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o640)
            try bytes.withUnsafeBytes { try file.write($0, at: 0) }
            try file.synchronize()
            try file.synchronizeData()
            #expect(try file.status().st_size == 300_000)
            var back = [UInt8](repeating: 1, count: 300_001)
            let count = try back.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
            #expect(count == 300_000)
            #expect(Array(back[..<count]) == bytes)
            try file.truncate(to: 10)
            #expect(try file.status().st_size == 10)
        }

        #expect(try Syscalls.status(path).st_mode == S_IFREG | 0o640)
        #expect(throws: Errno.exists) { _ = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL) }
        #expect(unlink(path) == 0)
        #expect(throws: Errno.noEntry) { try Syscalls.status(path) }
        #expect(mount.tree.count("create") == 1)
        #expect(mount.tree.count("fsync") == 1)
        #expect(mount.tree.count("fdatasync") == 1)
        #expect(mount.tree.count("flush") >= 1)
    }

    @Test func `opening with truncation is one request and no setattr`() throws {
        let mount = try MountFixture()
        let path = mount.file("a")
        let first = try FileDescriptor.open(path, O_WRONLY | O_CREAT)
        try first.writeAll(Array("text".utf8))

        let second = try FileDescriptor.open(path, O_WRONLY | O_TRUNC)

        #expect(try second.status().st_size == 0)
        #expect(mount.session.connection?.granted.contains(.atomicTruncate) == true)
    }

    @Test func `folders, links, fifos and devices are what they were made as`() throws {
        let mount = try MountFixture { $0.ignoresDevices = false }

        #expect(mkdir(mount.file("folder"), 0o750) == 0)
        #expect(symlink("some/where", mount.file("symbolic")) == 0)
        #expect(mkfifo(mount.file("fifo"), 0o600) == 0)
        #expect(mknod(mount.file("null"), S_IFCHR | 0o666, 0x103) == 0)
        #expect(mknod(mount.file("plain"), S_IFREG | 0o600, 0) == 0)
        #expect(link(mount.file("plain"), mount.file("hard")) == 0)

        #expect(try Syscalls.status(mount.file("folder")).st_mode == S_IFDIR | 0o750)
        var target = [CChar](repeating: 0, count: 64)
        let count = readlink(mount.file("symbolic"), &target, target.count)
        #expect(target[..<count].map { UInt8(bitPattern: $0) } == Array("some/where".utf8))
        #expect(try Syscalls.status(mount.file("fifo")).st_mode == S_IFIFO | 0o600)
        #expect(try Syscalls.status(mount.file("null")).st_rdev == 0x103)
        #expect(try Syscalls.status(mount.file("hard")).st_nlink == 2)
        #expect(
            try Syscalls.status(mount.file("hard")).st_ino == Syscalls.status(mount.file("plain")).st_ino
        )
        #expect(rmdir(mount.file("folder")) == 0)
    }

    @Test func `a folder that is not empty is not removed`() throws {
        let mount = try MountFixture()
        #expect(mkdir(mount.file("folder"), 0o700) == 0)
        #expect(mkdir(mount.file("folder/inner"), 0o700) == 0)

        #expect(rmdir(mount.file("folder")) == -1)
        #expect(Errno.last == .notEmpty)
    }

    @Test func `rename replaces, refuses to replace, and exchanges`() throws {
        let mount = try MountFixture()
        for name in ["a", "b", "c"] {
            let file = try FileDescriptor.open(mount.file(name), O_WRONLY | O_CREAT)
            try file.writeAll(Array(name.utf8))
        }
        func inode(_ name: String) throws -> ino_t { try Syscalls.status(mount.file(name)).st_ino }
        let (a, b, c) = (try inode("a"), try inode("b"), try inode("c"))

        #expect(Syscalls.renameat2(mount.file("a"), mount.file("b"), 1) == -1)
        #expect(Errno.last == .exists)
        #expect(Syscalls.renameat2(mount.file("a"), mount.file("c"), 2) == 0)
        #expect(try inode("a") == c)
        #expect(try inode("c") == a)
        #expect(rename(mount.file("a"), mount.file("b")) == 0)
        #expect(try inode("b") == c)
        #expect(throws: Errno.noEntry) { try inode("a") }
        #expect(b != c)
    }

    @Test func `mode, owner and times to the nanosecond are set`() throws {
        let mount = try MountFixture()
        let path = mount.file("a")
        _ = try FileDescriptor.open(path, O_WRONLY | O_CREAT)

        #expect(chmod(path, 0o4711) == 0)
        #expect(try Syscalls.status(path).st_mode == S_IFREG | 0o4711)
        #expect(chown(path, 12, 34) == 0)
        var times = [timespec(tv_sec: 1_000, tv_nsec: 123_456_789), timespec(tv_sec: -5, tv_nsec: 987_654_321)]
        #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)

        let status = try Syscalls.status(path)
        #expect((status.st_uid, status.st_gid) == (12, 34))
        #expect((status.st_atim.tv_sec, status.st_atim.tv_nsec) == (1_000, 123_456_789))
        #expect((status.st_mtim.tv_sec, status.st_mtim.tv_nsec) == (-5, 987_654_321))
    }

    @Test func `extended attributes are set, read, listed and removed`() throws {
        let mount = try MountFixture()
        let path = mount.file("a")
        _ = try FileDescriptor.open(path, O_WRONLY | O_CREAT)
        let value = Array("value".utf8)
        var room = [UInt8](repeating: 0, count: 64)

        #expect(Syscalls.setxattr(path, "user.one", value) == 0)
        #expect(Syscalls.setxattr(path, "user.three", []) == 0)
        #expect(Syscalls.setxattr(path, "user.one", value, Xattr.create) == -1)
        #expect(Errno.last == .exists)

        #expect(Syscalls.getxattr(path, "user.one", nil, 0) == 5)
        #expect(Syscalls.getxattr(path, "user.one", &room, 2) == -1)
        #expect(Errno.last == .outOfRange)
        #expect(Syscalls.getxattr(path, "user.one", &room, room.count) == 5)
        #expect(Array(room[..<5]) == value)
        #expect(Syscalls.getxattr(path, "user.three", &room, room.count) == 0)
        #expect(Syscalls.getxattr(path, "user.none", &room, room.count) == -1)
        #expect(Errno.last == .noData)

        var names = [UInt8](repeating: 0, count: 64)
        let count = Syscalls.listxattr(path, &names, names.count)
        #expect(Array(names[..<count]) == Array("user.one\0user.three\0".utf8))
        #expect(Syscalls.listxattr(path, nil, 0) == count)
        #expect(Syscalls.removexattr(path, "user.one") == 0)
        #expect(Syscalls.removexattr(path, "user.one") == -1)
        #expect(Errno.last == .noData)
    }

    @Test func `statfs says what the file system says`() throws {
        let mount = try MountFixture()
        var result = statvfs()

        #expect(statvfs(mount.path, &result) == 0)

        #expect((result.f_bsize, result.f_blocks, result.f_bfree, result.f_bavail) == (4_096, 1_000, 600, 500))
        #expect(result.f_namemax == 255)
    }

    @Test func `space is allocated and punched, holes are found, and bytes copied inside the mount`() throws {
        let mount = try MountFixture()
        let file = try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT)

        #expect(Syscalls.fallocate(file.raw, 0, 0, 20_000) == 0)
        #expect(try file.status().st_size == 20_000)
        try [UInt8](repeating: 7, count: 8_000).withUnsafeBytes { try file.write($0, at: 4_000) }
        #expect(lseek(file.raw, 0, Seek.data) == 4_000)
        #expect(lseek(file.raw, 4_000, Seek.hole) == 12_000)
        #expect(Syscalls.fallocate(file.raw, 3, 4_000, 1_000) == 0)
        #expect(lseek(file.raw, 0, Seek.data) == 5_000)
        #expect(lseek(file.raw, 12_000, Seek.data) == -1)
        #expect(Errno.last == .noSuchDevice)

        let copy = try FileDescriptor.open(mount.file("b"), O_RDWR | O_CREAT)
        #expect(Syscalls.copyFileRange(file.raw, 4_990, copy.raw, 100, 20) == 20)
        var bytes = [UInt8](repeating: 1, count: 200)
        let count = try bytes.withUnsafeMutableBytes { try copy.read(into: $0, at: 0) }
        #expect(count == 120)
        #expect(bytes[..<110].allSatisfy { $0 == 0 })
        #expect(bytes[110..<120].allSatisfy { $0 == 7 })
        #expect(mount.tree.count("copy_file_range") == 1)
    }

    @Test func `a name of 255 bytes is good, one of 256 is too long, and any byte may be in it`() throws {
        let mount = try MountFixture()
        let longest = String(repeating: "n", count: 255)

        _ = try FileDescriptor.open(mount.file(longest), O_WRONLY | O_CREAT)
        #expect(throws: Errno.nameTooLong) {
            _ = try FileDescriptor.open(mount.file(longest + "n"), O_WRONLY | O_CREAT)
        }
        #expect(throws: Errno.nameTooLong) { try Syscalls.status(mount.file(longest + "n")) }

        let strange: [CChar] = Array(mount.path.utf8CString.dropLast()) + [0x2f, -1, 0x0a, 0x5c, 1, 0]
        #expect(mkdir(strange, 0o700) == 0)
        #expect(mount.tree.state.withLock { $0.inodes[1]?.children[[0xff, 0x0a, 0x5c, 1]] != nil })
    }

    @Test func `what is unlinked while open can be used until it is closed, and is then forgotten`() throws {
        let mount = try MountFixture()
        do {
            let file = try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT)
            #expect(unlink(mount.file("a")) == 0)
            try file.writeAll(Array("still here".utf8))
            #expect(try file.status().st_size == 10)
            #expect(try file.status().st_nlink == 0)
        }

        // Release and forget come after close has returned.
        let isGone = (0..<200).contains { _ in
            usleep(10_000)
            return mount.tree.state.withLock { $0.inodes.count == 1 && $0.openHandles == 0 }
        }
        #expect(isGone)
    }

    @Test func `a memory mapping reads and writes through the mount`() throws {
        let mount = try MountFixture()
        try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT).writeAll([UInt8](repeating: 1, count: 8_192))
        let program = try #require(DaemonTests.program, "bench-fuse was not built beside the tests")

        // Not in this process: a fault that waits for us holds a lock that our threads may need.
        let (status, output) = Child.run([program, "map", mount.file("a"), "5000", "9"])

        #expect((status, output) == (0, "1\n"))
        let inode = try #require(mount.tree.inode(named: "a"))
        #expect(mount.tree.state.withLock { $0.inodes[inode]?.data[5_000] } == 9)
    }

    @Test func `what the file system does not know, the adapter answers`() throws {
        final class Nothing: FUSEFileSystem {
            func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply) {
                reply.attributes(FUSEAttributes(inode: inode, mode: S_IFDIR | 0o755, linkCount: 2), validFor: .zero)
            }
        }
        let path = try MountFixture.makeFolder()
        let session = try FUSESession(fileSystem: Nothing())
        try session.mount(at: path)
        let serving = Thread(name: "run") { _ = try? session.run(threads: 1) }
        defer {
            try? session.unmount(.lazily)
            serving.join()
            rmdir(path)
        }

        #expect(throws: Errno.notImplemented) { try Syscalls.status("\(path)/a") }
        let folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        #expect(throws: Errno.invalid) { try folder.synchronize() }
        var result = statvfs()
        #expect(statvfs(path, &result) == 0)
        #expect(Syscalls.getxattr(path, "user.a", nil, 0) == -1)
        #expect(Errno.last == .notSupported)
        #expect(throws: Errno.notImplemented) { try Syscalls.names(in: path, bufferBytes: 4_096) }
    }
}
