import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct FilesTests {
    private let folder = ScratchFolder()

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 300_000])
    func `a file reads back the bytes that were written`(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        try Files.writeAtomically(folder.path("a"), bytes)
        #expect(try Files.readAll(folder.path("a"), max: count) == bytes)
        #expect(mode(folder.path("a")) == 0o600)
    }

    @Test func `more than the bound is refused, whatever the size says`() throws {
        try folder.write([1, 2, 3], to: "a")
        #expect(throws: Errno.fileTooLarge) { try Files.readAll(folder.path("a"), max: 2) }
        #expect(try Files.readAll(folder.path("a"), max: 3) == [1, 2, 3])
        #expect(throws: Errno.fileTooLarge) { try Files.readAll("/dev/zero", max: 100_000) }
        #expect(throws: Errno.noEntry) { try Files.readAll(folder.path("absent"), max: 1) }
        #expect(throws: Errno.isDirectory) { try Files.readAll(folder.path, max: 1) }
    }

    @Test func `the mode is exact, whatever the umask`() throws {
        let before = umask(0o077)
        defer { umask(before) }
        try Files.writeAtomically(folder.path("shared"), [1], mode: 0o644)
        #expect(mode(folder.path("shared")) == 0o644)
        try Files.writeAtomically(folder.path("read-only"), [1], mode: 0o400)
        try Files.writeAtomically(folder.path("read-only"), [2], mode: 0o400)
        #expect(try folder.read("read-only") == [2])
    }

    @Test func `a link is replaced and not followed`() throws {
        try folder.write([1], to: "target")
        #expect(symlink(folder.path("target"), folder.path("link")) == 0)
        try Files.writeAtomically(folder.path("link"), [2])
        #expect(try folder.read("target") == [1])
        #expect(try folder.read("link") == [2])
    }

    @Test func `a failed write leaves the old file and no temporary one`() throws {
        #expect(throws: Errno.noEntry) { try Files.writeAtomically(folder.path("no/such/folder"), [1]) }
        #expect(throws: Errno.isDirectory) { try Files.writeAtomically("/", [1]) }
        #expect(mkdir(folder.path("taken"), 0o700) == 0)
        #expect(throws: Errno.isDirectory) { try Files.writeAtomically(folder.path("taken"), [1]) }
        #expect(try Files.entries(of: folder.path) == ["taken"])
    }

    @Test(.needs(.root)) func `a full disk leaves the old file and no temporary one`() throws {
        let mount = folder.path("small")
        #expect(mkdir(mount, 0o700) == 0)
        let mounted = try Subprocess.capture(
            Command("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", mount]),
            timeout: .seconds(10)
        )
        guard mounted.ending.isSuccess else {
            print("skipped: a tmpfs cannot be mounted here: \(mounted.errorText)")
            return
        }
        defer { _ = try? Subprocess.capture(Command("umount", [mount]), timeout: .seconds(10)) }
        try Files.writeAtomically("\(mount)/state", [1, 2, 3])
        #expect(throws: Errno.noSpace) {
            try Files.writeAtomically("\(mount)/state", [UInt8](repeating: 9, count: 200_000))
        }
        #expect(try Files.readAll("\(mount)/state", max: 10) == [1, 2, 3])
        #expect(try Files.entries(of: mount) == ["state"])
    }

    @Test func `a reader beside a writer sees old or new and nothing between`() throws {
        let path = folder.path("flip")
        let versions = [[UInt8](repeating: 1, count: 40_000), [UInt8](repeating: 2, count: 50_000)]
        try Files.writeAtomically(path, versions[0], durable: false)
        let stop = Gate()
        let torn = Lock(0)
        let reader = Thread(name: "reader") {
            while !stop.isOpen {
                let seen = (try? Files.readAll(path, max: 100_000)) ?? []
                if !versions.contains(seen) { torn.withLock { $0 += 1 } }
            }
        }
        for round in 0..<200 { try Files.writeAtomically(path, versions[round % 2], durable: false) }
        stop.open()
        reader.join()
        #expect(torn.withLock { $0 } == 0)
    }

    @Test func `writers at once leave one whole file`() throws {
        let path = folder.path("race")
        let failures = Lock(0)
        let writers = (1...4).map { number in
            Thread(name: "writer-\(number)") {
                for _ in 0..<50 {
                    let bytes = [UInt8](repeating: UInt8(number), count: 10_000)
                    do { try Files.writeAtomically(path, bytes, durable: false) } catch {
                        failures.withLock { $0 += 1 }
                    }
                }
            }
        }
        for writer in writers { writer.join() }
        #expect(failures.withLock { $0 } == 0)
        #expect(Set(try folder.read("race")).count == 1)
        #expect(try Files.entries(of: folder.path) == ["race"])
    }

    @Test func `a private folder is made with those above it`() throws {
        let path = folder.path("a/b/c")
        try Files.createPrivateDirectory(path)
        for made in ["a", "a/b", "a/b/c"] { #expect(mode(folder.path(made)) == 0o700) }
        try Files.createPrivateDirectory(path)
        try Files.createPrivateDirectory(path + "///")
        #expect(chmod(path, 0o755) == 0)
        try Files.createPrivateDirectory(path)
        #expect(mode(path) == 0o755)
    }

    @Test func `what cannot become a folder says why`() throws {
        try folder.write([1], to: "file")
        #expect(throws: Errno.notDirectory) { try Files.createPrivateDirectory(folder.path("file")) }
        #expect(throws: Errno.notDirectory) { try Files.createPrivateDirectory(folder.path("file/below")) }
        #expect(throws: Errno.noEntry) { try Files.createPrivateDirectory("") }
        #expect(symlink(folder.path("nowhere"), folder.path("dangling")) == 0)
        #expect(throws: Errno.notDirectory) { try Files.createPrivateDirectory(folder.path("dangling")) }
    }

    @Test func `two who make the same folder both succeed`() {
        for round in 0..<20 {
            let failures = Lock(0)
            let path = folder.path("race-\(round)/deep/er")
            let makers = (0..<4).map { number in
                Thread(name: "maker-\(number)") {
                    do { try Files.createPrivateDirectory(path, durable: false) } catch {
                        failures.withLock { $0 += 1 }
                    }
                }
            }
            for maker in makers { maker.join() }
            #expect(failures.withLock { $0 } == 0)
        }
    }

    @Test func `a tree goes with all that is in it, and nothing beside it`() throws {
        try Files.createPrivateDirectory(folder.path("tree/deep/deeper"), durable: false)
        try folder.write([1], to: "kept")
        try folder.write([1], to: "tree/deep/file")
        #expect(symlink(folder.path("kept"), folder.path("tree/link")) == 0)
        #expect(symlink(folder.path, folder.path("tree/up")) == 0)
        #expect(mkfifo(folder.path("tree/pipe"), 0o600) == 0)
        var odd: [CChar] = folder.path("tree/deep/").utf8CString.dropLast() + [-1, -2, 0]
        #expect(mkdir(&odd, 0o700) == 0)
        try Files.removeTree(folder.path("tree"))
        #expect(try Files.entries(of: folder.path) == ["kept"])
        try Files.removeTree(folder.path("tree"))
        try Files.removeTree(folder.path("kept"))
        #expect(try Files.entries(of: folder.path) == [])
    }

    @Test func `a lock file keeps a second holder out until the first is gone`() throws {
        let path = folder.path("lock")
        do {
            let lock = try LockFile(path)
            #expect(throws: LockFile.Failure.held(by: getpid())) { _ = try LockFile(path) }
            withExtendedLifetime(lock) {}
        }
        _ = try LockFile(path)
        #expect(throws: LockFile.Failure.failed(.noEntry)) { _ = try LockFile(folder.path("no/lock")) }
        #expect(symlink(path, folder.path("link")) == 0)
        #expect(throws: LockFile.Failure.failed(.tooManySymlinks)) { _ = try LockFile(folder.path("link")) }
    }

    @Test(.needs(.program("flock", package: "util-linux")))
    func `a lock file goes with its process, even one killed`() throws {
        let path = folder.path("lock")
        let holder = try Subprocess.start(Command("flock", ["-x", path, "sleep", "100"], startsGroup: true))
        #expect(eventually { (try? LockFile(path)) == nil })
        holder.send(SIGKILL)
        #expect(holder.wait(timeout: .seconds(10)) == .signaled(SIGKILL))
        #expect(eventually { (try? LockFile(path)) != nil })
    }
}
