import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// The files service is killed while files go up. Everything arrives, once.
@Suite(.enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
struct KilledRegionTests {
    /// `DALEKS_ROUNDS=100` is the long form.
    private static let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 3

    @Test func `killed during uploads, it gets everything all the same, and once`() throws {
        var random = SeededGenerator(for: "killed region")
        let system = try RunningSystem()
        defer { system.end() }
        try system.logIn("here", registers: true)
        let mount = try system.mount("here", credentials: "here")
        let worker = Worker("w", seed: random.next())

        for _ in 0..<Self.rounds {
            let isOver = Lock(false)
            let thread = Thread(name: "worker") { worker.work(in: mount.path) { isOver.withLock { $0 } } }
            usleep(UInt32.random(in: 50_000...400_000, using: &random))
            system.killFiles()
            usleep(UInt32.random(in: 0...200_000, using: &random))
            try system.startFiles()
            isOver.withLock { $0 = true }
            thread.join()
        }
        try system.drain("here")

        try system.logIn("there", registers: false)
        let empty = try system.mount("there", credentials: "there")
        let problems = try worker.state.withLock { state in
            try state.manifest.problems(in: "\(empty.path)/\(worker.name)")
        }
        #expect(problems.isEmpty, "\(problems)")
        #expect(try Files.entries(of: empty.path) == [worker.name])
        print("\(Self.rounds) rounds, \(worker.state.withLock { $0.doneCount }) operations")
        try empty.stop()
        try mount.stop()
    }
}
