import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// The power goes while the cache works: what was synchronised is there, and nothing is there that nobody wrote.
@Suite(.enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
struct CutPowerTests {
    /// `DALEKS_ROUNDS=200` is the long form.
    private static let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 2

    @Test func `the lossy disk forgets what was not synchronised, and keeps what was`() throws {
        let scratch = ScratchFolder()
        let disk = try RunningDisk(path: scratch.path("disk"), seed: 1)
        var (lost, torn) = (0, 0)
        for round in 0..<20 {
            let kept = try FileDescriptor.open(disk.path + "/kept \(round)", O_WRONLY | O_CREAT)
            try kept.writeAll([UInt8](repeating: 1, count: 10_000))
            try kept.synchronize()
            try kept.close()
            // A program that forgets its fsync.
            let forgotten = try FileDescriptor.open(disk.path + "/forgotten \(round)", O_WRONLY | O_CREAT)
            for _ in 0..<10 { try forgotten.writeAll([UInt8](repeating: 2, count: 1_000)) }
            try forgotten.close()

            try disk.cutPower()

            #expect(
                try Files.readAll(disk.path + "/kept \(round)", max: 1 << 20) == [UInt8](repeating: 1, count: 10_000)
            )
            let left = try? Files.readAll(disk.path + "/forgotten \(round)", max: 1 << 20)
            if left == nil { lost += 1 } else if left?.count != 10_000 { torn += 1 }
        }
        #expect(lost > 0 && torn > 0)
    }

    @Test func `what was synchronised outlives every cut, and nothing uncertain is taken for it`() throws {
        var random = SeededGenerator(for: "power cut")
        let system = try RunningSystem()
        defer { system.end() }
        try system.logIn("here", registers: true)
        let disk = try RunningDisk(path: system.scratch.path("disk"), seed: random.next())
        let promises = (0..<2).map { Promises(folder: "p\($0)", seed: random.next() &+ UInt64($0)) }

        for round in 0..<Self.rounds {
            let mount = try mount(system, disk, round)
            for promise in promises {
                if round == 0 {
                    try promise.begin(in: mount.path)
                } else {
                    let problems = try promise.problems(in: mount.path)
                    try #require(problems.isEmpty, "round \(round), \(promise.folder): \(problems)")
                }
            }
            let isOver = Lock(false)
            let threads = promises.map { promise in
                Thread(name: promise.folder) { promise.work(in: mount.path) { isOver.withLock { $0 } } }
            }
            usleep(UInt32.random(in: 50_000...1_500_000, using: &random))
            mount.kill()
            isOver.withLock { $0 = true }
            for thread in threads { thread.join() }
            try disk.cutPower()
        }

        let mount = try mount(system, disk, Self.rounds)
        for promise in promises { #expect(try promise.problems(in: mount.path) == []) }
        try system.drain(state: disk.path + "/state")
        try system.logIn("there", registers: false)
        let empty = try system.mount("there", credentials: "there")
        for promise in promises { #expect(try promise.problems(in: empty.path) == []) }
        let count = promises.reduce(0) { $0 + $1.state.withLock { $0.promiseCount } }
        print("\(Self.rounds) cuts, \(count) promises")
        #expect(count > 0)
        try empty.stop()
        try mount.stop()
    }

    /// Every start of the machine has a name of its own.
    private func mount(_ system: RunningSystem, _ disk: RunningDisk, _ round: Int) throws -> RunningMount {
        try RunningMount(
            folder: system.scratch,
            name: "here",
            state: disk.path + "/state",
            credentials: system.scratch.path("here.json"),
            options: ["--boot", "\(round)"]
        )
    }
}
