import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

/// All with a kernel that may believe for a minute, so that only notifications can change its mind.
@Suite(.needsFUSE)
struct NotificationTests {
    private func makeMount() throws -> MountFixture {
        let mount = try MountFixture(MemoryTree(validFor: .seconds(60))) { $0.invalidation = .explicit }
        let file = try FileDescriptor.open(mount.file("a"), O_WRONLY | O_CREAT)
        try file.writeAll(Array("old".utf8))
        _ = try Syscalls.status(mount.file("a"))
        return mount
    }

    private func content(_ path: String) throws -> String {
        let file = try FileDescriptor.open(path, O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    @Test func `an invalidated inode shows its new size and content`() throws {
        let mount = try makeMount()
        mount.tree.change(2) { node in
            node.data = Array("newer".utf8)
            node.attributes.size = 5
        }

        #expect(try Syscalls.status(mount.file("a")).st_size == 3)
        try mount.session.invalidateInode(2)
        #expect(try Syscalls.status(mount.file("a")).st_size == 5)
        #expect(try content(mount.file("a")) == "newer")

        mount.tree.change(2) { $0.data = Array("again".utf8) }
        #expect(try content(mount.file("a")) == "newer")
        try mount.session.invalidateInode(2, offset: 0, count: 5)
        #expect(try content(mount.file("a")) == "again")
    }

    @Test func `invalidated attributes leave the pages`() throws {
        let mount = try makeMount()
        #expect(try content(mount.file("a")) == "old")
        let reads = mount.tree.count("read")
        mount.tree.change(2) { node in
            node.data = Array("xyz".utf8)
            node.attributes.mode = S_IFREG | 0o600
        }

        try mount.session.invalidateAttributes(2)

        #expect(try Syscalls.status(mount.file("a")).st_mode == S_IFREG | 0o600)
        #expect(try content(mount.file("a")) == "old")
        #expect(mount.tree.count("read") == reads)
    }

    @Test(arguments: [false, true])
    func `an invalidated or expired name is looked up again`(_ expires: Bool) throws {
        let mount = try makeMount()
        let lookups = mount.tree.count("lookup")
        _ = try Syscalls.status(mount.file("a"))
        #expect(mount.tree.count("lookup") == lookups)

        if expires {
            try mount.session.expireEntry(parent: 1, name: Array("a".utf8))
        } else {
            try mount.session.invalidateEntry(parent: 1, name: Array("a".utf8))
        }
        _ = try Syscalls.status(mount.file("a"))

        #expect(mount.tree.count("lookup") == lookups + 1)
    }

    @Test func `a deleted name is gone at once`() throws {
        let mount = try makeMount()
        mount.tree.state.withLock { state in
            MemoryTree.detach(Array("a".utf8), in: 1, &state)
        }
        _ = try Syscalls.status(mount.file("a"))

        try mount.session.deleteEntry(parent: 1, child: 2, name: Array("a".utf8))

        #expect(throws: Errno.noEntry) { try Syscalls.status(mount.file("a")) }
    }

    @Test func `a deletion that names another inode only makes the kernel look again`() throws {
        let mount = try makeMount()
        let lookups = mount.tree.count("lookup")

        #expect(throws: Errno.noEntry) {
            try mount.session.deleteEntry(parent: 1, child: 99, name: Array("a".utf8))
        }

        #expect(try Syscalls.status(mount.file("a")).st_size == 3)
        #expect(mount.tree.count("lookup") == lookups + 1)
    }

    @Test func `stored bytes are read without a request`() throws {
        let mount = try makeMount()
        #expect(try content(mount.file("a")) == "old")
        let reads = mount.tree.count("read")

        try Array("new".utf8).withUnsafeBytes { try mount.session.store(2, offset: 0, bytes: $0) }

        #expect(try content(mount.file("a")) == "new")
        #expect(mount.tree.count("read") == reads)
    }

    @Test func `what the kernel does not know is reported`() throws {
        let mount = try makeMount()
        let name = Array("unheard-of".utf8)

        #expect(throws: Errno.noEntry) { try mount.session.invalidateInode(4_711) }
        #expect(throws: Errno.noEntry) { try mount.session.invalidateAttributes(4_711) }
        #expect(throws: Errno.noEntry) { try mount.session.invalidateEntry(parent: 1, name: name) }
        #expect(throws: Errno.noEntry) { try mount.session.invalidateEntry(parent: 4_711, name: name) }
        #expect(throws: Errno.noEntry) { try mount.session.deleteEntry(parent: 1, child: 5, name: name) }
        #expect(throws: Errno.noEntry) {
            try name.withUnsafeBytes { try mount.session.store(4_711, offset: 0, bytes: $0) }
        }
        let fresh = try FUSESession(fileSystem: MemoryTree())
        #expect(throws: Errno.notConnected) { try fresh.invalidateInode(1) }
    }

    @Test func `a notification after the end is refused and not misdelivered`() throws {
        let mount = try makeMount()
        try mount.unmount()
        _ = mount.outcome()

        #expect(throws: Errno.self) { try mount.session.invalidateInode(2) }
    }

    @Test func `notifications come from many threads at once while the mount is used`() throws {
        let mount = try makeMount()
        let session = mount.session
        let path = mount.file("a")
        let threads = (0..<4).map { number in
            Thread(name: "notify") {
                for _ in 0..<300 {
                    switch number {
                    case 0: try? session.invalidateInode(2)
                    case 1: try? session.invalidateEntry(parent: 1, name: Array("a".utf8))
                    default: _ = try? Syscalls.status(path)
                    }
                }
            }
        }
        for thread in threads { thread.join() }

        #expect(try content(path) == "old")
    }
}
