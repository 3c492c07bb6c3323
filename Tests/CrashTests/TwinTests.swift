import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// A mount beside a folder on a disk: the same random calls in both, compared after every one, by `Tests/PosixTwin`.
///
/// `DALEKS_TWINS=1000` is the long form; `DALEKS_TEST_SEED` runs a failure again, which comes again where it does not
/// depend on what the daemon did meanwhile.
@Suite(.needs(.fuse), .needs(.ext4))
struct TwinTests {
    private static let seedCount = Environment.current["DALEKS_TWINS"].flatMap { Int($0) } ?? 8
    private static let stepCount = 200

    private let system: RunningSystem
    private let disk: String

    init() throws {
        system = try RunningSystem()
        disk = system.scratch.path("disk")
        try checking { mkdir(disk, 0o755) }
        try system.logIn("here", registers: true)
    }

    /// What `posix-twin` found, or nil.
    private func difference(
        in folder: String,
        seed: UInt64,
        count: Int = 1,
        steps: Int,
        options: [String] = []
    ) throws -> String? {
        let words = options + [disk, folder, "\(seed % 1_000_000_000)", "\(count)", "\(steps)"]
        let command = Command("\(RunningProgram.folder)/posix-twin", words, deathSignal: SIGKILL)
        let captured = try Subprocess.capture(command, timeout: .seconds(Int64(30 + count * 10)))
        if captured.ending == .exited(0) { return nil }
        return "posix-twin \(words.joined(separator: " ")): \(String(decoding: captured.output, as: UTF8.self))"
    }

    private func mount(_ name: String, options: [String] = []) throws -> RunningMount {
        try RunningMount(
            folder: system.scratch,
            name: name,
            credentials: system.scratch.path("here.json"),
            options: options
        )
    }

    /// In a folder of its own, since a mount's root has a `Shared` that no disk has.
    private func place(in mount: RunningMount) throws -> String {
        let folder = "\(mount.path)/twin"
        if mkdir(folder, 0o755) == -1, errno != EEXIST { throw Errno.last }
        return folder
    }

    /// News takes a moment to arrive.
    private func expectSame(in folder: String, _ comment: String) throws {
        var found: String?
        let end = TimeSource.system.now + .seconds(20)
        repeat {
            found = try difference(in: folder, seed: 0, steps: 0, options: ["-k"])
            if found != nil { usleep(200_000) }
        } while found != nil && TimeSource.system.now < end
        #expect(found == nil, "\(comment)")
    }

    @Test func `a mount does what a disk does, call by call, and the region has it in the end`() throws {
        defer { system.end() }
        var random = SeededGenerator(for: "twin")
        let mount = try mount("here")
        let folder = try place(in: mount)

        let found = try difference(in: folder, seed: random.next(), count: Self.seedCount, steps: Self.stepCount)
        #expect(found == nil)
        try system.drain("here")

        let other = try self.mount("there")
        try expectSame(in: "\(other.path)/twin", "on a machine that had nothing")
        try other.stop()
        try mount.stop()
    }

    @Test(.needs(.root)) func `with stored owners it does so for root and for others`() throws {
        defer { system.end() }
        var random = SeededGenerator(for: "twin with owners")
        let mount = try mount("here", options: ["-o", "owners=stored,allow_other,suid,dev"])
        let folder = try place(in: mount)
        // Others come through to the folders.
        for path in [system.scratch.path, mount.path] { try checking { chmod(path, 0o755) } }

        for options in [["-o"], ["-o", "-u", "1000"]] {
            let found = try difference(
                in: folder,
                seed: random.next(),
                count: Self.seedCount,
                steps: Self.stepCount,
                options: options
            )
            #expect(found == nil)
        }
        try mount.stop()
    }

    @Test func `killed between calls, it has what the disk has`() throws {
        defer { system.end() }
        var random = SeededGenerator(for: "killed twin")

        for round in 0..<max(3, Self.seedCount / 2) {
            let mount = try mount("here")
            let folder = try place(in: mount)
            let steps = Int.random(in: 5...Self.stepCount, using: &random)
            // Begins by comparing what is there.
            let found = try difference(in: folder, seed: random.next(), steps: steps, options: ["-k"])
            try #require(found == nil, "round \(round)")
            mount.kill()
        }
        let mount = try mount("here")
        let left = try difference(in: try place(in: mount), seed: 0, steps: 0, options: ["-k"])
        #expect(left == nil)
        try mount.stop()
    }

    @Test func `what piles up while nothing is sent reaches the region as it was done`() throws {
        defer { system.end() }
        var random = SeededGenerator(for: "twin without a line")
        // Writes through O_SYNC would wait for the line.
        let mount = try mount("here", options: ["-o", "osync=fsync"])
        let folder = try place(in: mount)

        for _ in 0..<max(3, Self.seedCount / 2) {
            try system.command("pause", of: "here")
            let found = try difference(in: folder, seed: random.next(), count: 3, steps: Self.stepCount)
            try #require(found == nil)
            try system.command("resume", of: "here")
            try system.drain("here")
            let left = try difference(in: folder, seed: 0, steps: 0, options: ["-k"])
            try #require(left == nil, "once it was sent")
        }
        let other = try self.mount("there")
        try expectSame(in: "\(other.path)/twin", "on a machine that had nothing")
        try other.stop()
        try mount.stop()
    }

    @Test func `two machines take turns, and each has what the other did`() throws {
        defer { system.end() }
        var random = SeededGenerator(for: "twins in turns")
        let (here, there) = (try mount("here"), try mount("there"))
        _ = try place(in: here)
        try system.drain("here")

        for round in 0..<max(3, Self.seedCount / 2) {
            for (name, mount) in [("here", here), ("there", there)] {
                let folder = "\(mount.path)/twin"
                try expectSame(in: folder, "\(name), round \(round)")
                let found = try difference(in: folder, seed: random.next(), steps: Self.stepCount / 2, options: ["-k"])
                try #require(found == nil, "\(name), round \(round)")
                try system.drain(name)
            }
        }
        try here.stop()
        try there.stop()
    }
}
