import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// Many programs make, rename, link and remove files in a few folders at once. In the end the mount, a machine that had
/// nothing and the region have the same: each name, its node, its links, its times and its bytes.
///
/// `DALEKS_WORKERS=200 DALEKS_SECONDS=600` is the long form; `DALEKS_TEST_SEED` draws the same calls again.
@Suite(.needs(.fuse)) struct ParallelWorkersTests {
    private static let workerCount = Environment.current["DALEKS_WORKERS"].flatMap { Int($0) } ?? 20
    private static let seconds = Environment.current["DALEKS_SECONDS"].flatMap { Int64($0) } ?? 3
    private static let folders = (0..<6).map { "folder\($0)" }
    /// So many names in each folder that workers meet, and that most are there.
    private static let nameCount = 40

    private struct Tally {
        var doneCount = 0
        var refusedCount = 0
        var problems: [String] = []
    }

    /// What a call may hear where others were there first.
    private static let refusals = [Errno.noEntry, .exists]

    private static func step(_ root: String, _ worker: Int, _ count: Int, _ random: inout SeededGenerator) throws(Errno)
    {
        func path() -> String {
            let folder = folders[Int.random(in: 0..<folders.count, using: &random)]
            return "\(root)/\(folder)/name\(Int.random(in: 0..<nameCount, using: &random))"
        }
        let (one, other) = (path(), path())
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4:
            let flags = random.oneIn(2) ? O_EXCL : O_TRUNC
            let file = try FileDescriptor.open(one, O_WRONLY | O_CREAT | flags, mode: 0o644)
            try file.writeAll(Array("\(worker).\(count) ".utf8) + [UInt8](repeating: 120, count: count % 3_000))
            try file.close()
        case 4..<6: try LinuxCalls.rename(one, to: other)
        case 6: try LinuxCalls.rename(one, to: other, random.oneIn(2) ? .exchange : .noReplace)
        case 7: try checking { link(one, other) }
        default: try checking { unlink(one) }
        }
    }

    private func work(_ worker: Int, in root: String, until end: Instant, seed: UInt64) -> Tally {
        var (tally, random) = (Tally(), SeededGenerator(seed: seed))
        while TimeSource.system.now < end {
            do throws(Errno) {
                try Self.step(root, worker, tally.doneCount, &random)
                tally.doneCount += 1
            } catch  where Self.refusals.contains(error) {
                tally.refusedCount += 1
            } catch {
                tally.problems.append("worker \(worker): \(error)")
                return tally
            }
        }
        return tally
    }

    @Test func `many at once in the same folders leave the same tree here, at the region and on a new machine`() throws
    {
        let system = try RunningSystem()
        defer { system.end() }
        try system.logIn("here", registers: true)
        let here = try system.mount("here", credentials: "here")
        for folder in Self.folders { try checking { mkdir("\(here.path)/\(folder)", 0o755) } }
        var random = SeededGenerator(for: "parallel workers")
        let tallies = Lock<[Tally]>([])
        let end = TimeSource.system.now + .seconds(Self.seconds)

        let threads = (0..<Self.workerCount).map { worker in
            let seed = random.next()
            return Thread(name: "worker") {
                let tally = work(worker, in: here.path, until: end, seed: seed)
                tallies.withLock { $0.append(tally) }
            }
        }
        for thread in threads { thread.join() }
        let drained = TimeSource.system.now
        // What two hundred pile up in ten minutes takes a debug build about as long to send.
        try system.drain("here", within: .seconds(60 + 3 * Self.seconds))
        let took = TimeSource.system.now - drained

        let all = tallies.withLock { $0 }
        #expect(all.flatMap(\.problems) == [])
        #expect(all.allSatisfy { $0.doneCount > 0 })
        let tree = try TreePicture(mount: here, folders: Self.folders)
        #expect(tree.items.count > Self.folders.count)
        try system.logIn("there", registers: false)
        let there = try system.mount("there", credentials: "there")
        let region = try TreePicture(region: system, credentials: "here", folders: Self.folders)
        #expect(tree.differences(from: region) == [], "the mount and the region")
        let other = try TreePicture(mount: there, folders: Self.folders)
        #expect(other.differences(from: tree) == [], "a machine that had nothing, and the mount")
        try expectNothingLeft(system, "here")
        try there.stop()
        try here.stop()
        let restarted = try system.mount("here", credentials: "here")
        let again = try TreePicture(mount: restarted, folders: Self.folders)
        #expect(again.differences(from: tree) == [], "the mount after a restart")
        try restarted.stop()
        print(
            "\(Self.workerCount) workers, \(Self.seconds) s: \(all.reduce(0) { $0 + $1.doneCount }) operations, "
                + "\(all.reduce(0) { $0 + $1.refusedCount }) came second, \(tree.items.count) names left, "
                + "sent \(took.milliseconds) ms after the last"
        )
    }

    /// The journal is empty, nothing was refused, and no copy was made.
    private func expectNothingLeft(_ system: RunningSystem, _ name: String) throws {
        let words = ["status", "--json", "--state", system.scratch.path("\(name)-state")]
        let command = Command("\(RunningProgram.folder)/daleks", words, environment: ["HOME": system.scratch.path])
        let status = JSONReader(try JSONValue.parse(try Subprocess.capture(command, timeout: .seconds(20)).output))
        for count in ["pending", "pending_bytes", "conflicts", "refused"] {
            #expect(try status.integer(count) == 0, "\(count)")
        }
    }
}
