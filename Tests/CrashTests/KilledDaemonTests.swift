import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// The daemon is killed in the middle of work, again and again. Every call that returned holds, synchronised or not.
@Suite(.enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
struct KilledDaemonTests {
    /// `DALEKS_ROUNDS=300` is the long form.
    private static let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 4

    @Test func `killed at random, it loses nothing that was answered and brings nothing back`() throws {
        var random = SeededGenerator(for: "killed daemon")
        let system = try RunningSystem()
        defer { system.end() }
        try system.logIn("here", registers: true)
        let workers = (0..<4).map { Worker("w\($0)", seed: random.next() &+ UInt64($0)) }

        for round in 0..<Self.rounds {
            let mount = try system.mount("here", credentials: "here")
            try check(workers, mount, round)
            let isOver = Lock(false)
            let threads = workers.map { worker in
                Thread(name: worker.name) { worker.work(in: mount.path) { isOver.withLock { $0 } } }
            }
            usleep(UInt32.random(in: 20_000...600_000, using: &random))
            mount.kill()
            isOver.withLock { $0 = true }
            for thread in threads { thread.join() }
        }

        let mount = try system.mount("here", credentials: "here")
        try check(workers, mount, Self.rounds)
        try system.drain("here")
        try system.logIn("there", registers: false)
        let empty = try system.mount("there", credentials: "there")
        try check(workers, empty, Self.rounds)
        #expect(try Files.entries(of: empty.path).count == workers.count, "something else was left behind")
        let done = workers.map { $0.state.withLock { $0.doneCount } }
        print("\(Self.rounds) rounds, \(done.reduce(0, +)) operations answered")
        #expect(done.allSatisfy { $0 > 0 })
        try empty.stop()
        try mount.stop()
    }

    @Test func `a daemon that was killed just now is found dead, and the next takes its place`() throws {
        let system = try RunningSystem()
        defer { system.end() }
        try system.logIn("here", registers: true)
        let first = try system.mount("here", credentials: "here")
        try Files.writeAtomically("\(first.path)/file", Array("kept".utf8), durable: false)
        // From here on the kernel knows the folder, and would open it without a daemon.
        #expect(try Files.entries(of: first.path).contains("file"))

        first.kill()
        let doctor = Command(
            "\(RunningProgram.folder)/daleks",
            ["doctor", "--all"],
            environment: ["HOME": system.scratch.path, "PATH": "/usr/bin:/bin"]
        )
        let found = try Subprocess.capture(doctor, timeout: .seconds(30)).outputText
        let second = try system.mount("here", credentials: "here")

        #expect(found.contains("\(first.path) is left over from a daemon that died"), "\(found)")
        #expect(try Files.readAll("\(second.path)/file", max: 100) == Array("kept".utf8))
        try second.stop()
    }

    private func check(_ workers: [Worker], _ mount: RunningMount, _ round: Int) throws {
        for worker in workers {
            let folder = "\(mount.path)/\(worker.name)"
            guard Files.isDirectory(folder) else {
                #expect(worker.state.withLock { $0.manifest.files.isEmpty }, "\(worker.name) is gone, round \(round)")
                continue
            }
            let problems = try worker.state.withLock { state in try state.manifest.problems(in: folder) }
            #expect(problems.isEmpty, "round \(round), \(worker.name): \(problems)")
            try worker.state.withLock { state in try state.manifest.settle(in: folder) }
        }
    }
}
