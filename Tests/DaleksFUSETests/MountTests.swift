import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

@Suite(.needsFUSE)
struct MountTests {
    private func failure(at path: String, _ configure: (inout FUSEMountOptions) -> Void = { _ in }) -> FUSEError? {
        var options = FUSEMountOptions()
        options.subtype = "daleks-test"
        configure(&options)
        do throws(FUSEError) {
            let session = try FUSESession(fileSystem: MemoryTree(), options: options)
            try session.mount(at: path)
            try session.unmount(.lazily)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a mount point that is missing, no folder, not empty or in use is refused with its reason`() throws {
        let folder = try MountFixture.makeFolder()
        defer { _ = Child.run(["rm", "-r", folder]) }
        let mount = try MountFixture()
        _ = try FileDescriptor.open("\(folder)/file", O_WRONLY | O_CREAT)

        #expect(failure(at: "\(folder)/none") == .mountPointMissing("\(folder)/none"))
        #expect(failure(at: "\(folder)/file/below") == .mountPointNotDirectory("\(folder)/file/below"))
        #expect(failure(at: "\(folder)/file") == .mountPointNotDirectory("\(folder)/file"))
        #expect(failure(at: folder) == .mountPointNotEmpty(folder))
        #expect(failure(at: folder) { $0.allowsNonEmpty = true } == nil)
        #expect(failure(at: mount.path) == .mountPointBusy(mount.path, "fuse.daleks-test"))
        #expect("\(FUSEError.mountPointMissing("/x"))" == "/x does not exist: make it with `mkdir -p /x`")
    }

    @Test func `a mount point is found behind symbolic links, dots and slashes`() throws {
        let folder = try MountFixture.makeFolder()
        defer { _ = Child.run(["rm", "-r", folder]) }
        #expect(mkdir("\(folder)/with space", 0o700) == 0)
        #expect(symlink("with space", "\(folder)/link") == 0)

        for path in ["\(folder)/link", "\(folder)/./with space///", "\(folder)/link/.."] {
            let session = try FUSESession(fileSystem: MemoryTree())
            let isParent = path.hasSuffix("..")
            if isParent {
                #expect(throws: FUSEError.mountPointNotEmpty(folder)) { try session.mount(at: path) }
            } else {
                try session.mount(at: path)
                #expect(session.path == "\(folder)/with space")
                try session.unmount()
            }
        }
    }

    @Test func `a busy mount is not unmounted, but lazily, and ends with its last user`() throws {
        let mount = try MountFixture()
        var file: FileDescriptor? = try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT)

        #expect(throws: FUSEError.unmountBusy(mount.path)) { try mount.session.unmount() }
        try mount.session.unmount(.lazily)
        #expect(!MountFixture.isMounted(mount.path))
        #expect(mount.outcome(within: .milliseconds(50)) == nil)
        try file?.writeAll(Array("still served".utf8))

        file = nil
        #expect(mount.outcome() == .success(.unmounted))
        try mount.session.unmount()
    }

    @Test func `run ends by umount from outside and by exit from another thread`() throws {
        let unmounted = try MountFixture()
        #expect(Child.run(["umount", unmounted.path]).status == 0)
        #expect(unmounted.outcome() == .success(.unmounted))

        let stopped = try MountFixture(threads: 16)
        let begin = TimeSource.system.now
        stopped.session.exit()
        #expect(stopped.outcome() == .success(.stopped))
        #expect(TimeSource.system.now - begin < .seconds(1))
        #expect(MountFixture.isMounted(stopped.path))
    }

    @Test func `a session dropped without a word leaves no mount`() throws {
        let path = try MountFixture.makeFolder()
        defer { rmdir(path) }
        do {
            let session = try FUSESession(fileSystem: MemoryTree())
            try session.mount(at: path)
            #expect(MountFixture.isMounted(path))
        }

        #expect(!MountFixture.isMounted(path))
    }

    @Test func `twenty mounts come and go`() throws {
        let before = try Syscalls.names(in: "/proc/self/task", bufferBytes: 4_096).count
        for round in 0..<20 {
            let mount = try MountFixture(threads: 2)
            #expect(mkdir(mount.file("folder"), 0o700) == 0)
            if round % 2 == 0 { try mount.unmount() }
            #expect(round % 2 == 1 || mount.outcome() == .success(.unmounted))
        }
        let after = try Syscalls.names(in: "/proc/self/task", bufferBytes: 4_096).count

        // Other tests run beside this one; forty threads left behind would show.
        #expect(after < before + 40)
    }
}
