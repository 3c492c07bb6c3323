import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

@Suite(.needsFUSE)
struct NegotiationTests {
    @Test func `the kernel grants what was asked and never the write-back cache`() throws {
        let mount = try MountFixture()
        let connection = try #require(mount.session.connection)

        #expect(connection.protocolMajor == 7)
        #expect(
            connection.granted.isSuperset(of: [.asyncRead, .atomicTruncate, .parallelDirectoryOperations, .maxPages])
        )
        #expect(connection.granted.isSuperset(of: [.readdirPlus, .readdirPlusAuto, .cacheSymlinks, .autoInvalidate]))
        #expect(connection.granted.isDisjoint(with: [.writebackCache, .posixLocks, .flockLocks, .export, .dontMask]))
        #expect(connection.offered.contains(.writebackCache))
        #expect(mount.tree.state.withLock { $0.connection } == connection)
    }

    @Test func `options turn wishes on and off`() throws {
        let mount = try MountFixture {
            $0.posixLocks = true
            $0.flockLocks = true
            $0.supportsExport = true
            $0.kernelAppliesUmask = false
            $0.readdirPlus = .never
            $0.cachesSymlinks = false
            $0.invalidation = .explicit
            $0.readBytesMax = 131_072
            $0.readaheadBytesMax = 65_536
        }
        let connection = try #require(mount.session.connection)

        #expect(connection.granted.isSuperset(of: [.posixLocks, .flockLocks, .export, .dontMask, .explicitInvalidate]))
        #expect(connection.granted.isDisjoint(with: [.readdirPlus, .cacheSymlinks, .autoInvalidate]))
        #expect(connection.readaheadBytesMax == 65_536)
    }

    @Test(arguments: [true, false])
    func `the kernel asks for no capabilities before a write once clearing them is ours`(_ isOurs: Bool) throws {
        let mount = try MountFixture { $0.handlesKillPrivileges = isOurs }
        let file = try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT)

        for index in 0..<100 { try [UInt8(1)].withUnsafeBytes { try file.write($0, at: Int64(index * 4_096)) } }

        let questions = mount.tree.count("getxattr security.capability")
        #expect(mount.session.connection?.granted.contains(.handleKillPrivileges) == isOurs)
        #expect(mount.tree.count("write") == 100)
        // Before the first write it looks once, and remembers until it learns attributes anew.
        #expect(isOurs ? questions <= 1 : questions >= 100, "\(questions)")
    }

    @Test func `a writer without privilege is reported, so that setuid can be cleared`() throws {
        let mount = try MountFixture {
            $0.allowOther = true
            $0.ignoresSetID = false
        }
        let path = mount.file("a")
        _ = try FileDescriptor.open(path, O_RDWR | O_CREAT)
        func asNobody(_ command: String) -> Int32 {
            Child.run(
                ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", command, "sh", path]
            ).status
        }

        // By root, who may keep them.
        #expect(chmod(path, 0o6777) == 0)
        try FileDescriptor.open(path, O_WRONLY).writeAll([1])
        #expect(try Syscalls.status(path).st_mode & 0o7777 == 0o6777)

        for command in ["printf x >>\"$1\"", "printf x >\"$1\"", "truncate -s 5 \"$1\""] {
            #expect(chmod(path, 0o6777) == 0)
            #expect(asNobody(command) == 0)
            #expect(try Syscalls.status(path).st_mode & 0o7777 == 0o777, "\(command)")
        }
        #expect(mount.tree.state.withLock { $0.clearedSetID } >= 3)
    }

    @Test func `the umask is applied by whom it was agreed`() throws {
        let old = Child.run(["sh", "-c", "umask"]).output
        let kernel = try MountFixture()
        let ours = try MountFixture { $0.kernelAppliesUmask = false }

        for mount in [kernel, ours] {
            #expect(Child.run(["sh", "-c", "umask 027; mkdir \"$1\"", "sh", mount.file("folder")]).status == 0)
        }

        #expect(try Syscalls.status(kernel.file("folder")).st_mode & 0o777 == 0o750, "\(old)")
        #expect(try Syscalls.status(ours.file("folder")).st_mode & 0o777 == 0o777)
    }

    @Test func `the mount shows source, type and options`() throws {
        let mount = try MountFixture {
            $0.isReadOnly = true
            $0.forbidsExecution = true
            $0.allowOther = true
        }

        let line = Child.run(["grep", "-F", " \(mount.path) ", "/proc/self/mounts"]).output

        #expect(line.hasPrefix("daleks,test \(mount.path) fuse.daleks-test ro,nosuid,nodev,noexec"))
        #expect(line.contains("default_permissions") && line.contains("allow_other"))
        #expect(throws: Errno.readOnly) { _ = try FileDescriptor.open(mount.file("a"), O_WRONLY | O_CREAT) }
    }

    @Test(arguments: ["", "two words", String(repeating: "x", count: 256)])
    func `a source that the mount table could not show is refused`(_ source: String) {
        var options = FUSEMountOptions()
        options.source = source

        #expect(throws: FUSEError.self) { try FUSESession(fileSystem: MemoryTree(), options: options) }
    }
}
