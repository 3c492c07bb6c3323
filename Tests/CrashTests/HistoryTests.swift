import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// Two mounts of one account, in the tier in which the region decides, are one disk: some order of everything that all
/// their programs did with a few names and files explains what each of them saw. In a third of the rounds the region
/// dies and comes back meanwhile, in another third one of the daemons.
///
/// The judge is `History`, by the search of Wing and Gong; `FolderModel` says what a folder is. `DALEKS_ROUNDS=100` is
/// the long form. `DALEKS_TEST_SEED` draws the same calls again; when each of them runs nobody can repeat.
@Suite(.needs(.fuse)) struct HistoryTests {
    private static let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 3
    private static let roundMicros = UInt32(2_000_000)

    private enum Trouble: Int, CaseIterable {
        case none, regionDies, daemonDies
    }

    private let system: RunningSystem

    init() throws {
        system = try RunningSystem()
        try system.logIn("here", registers: true)
        try system.logIn("there", registers: false)
    }

    private func mount(_ name: String) throws -> RunningMount {
        try RunningMount(
            folder: system.scratch,
            name: name,
            credentials: system.scratch.path("\(name).json"),
            options: ["-o", "durability=write-region"]
        )
    }

    @Test func `some order explains what the programs of two machines saw of each name and each file`() throws {
        defer { system.end() }
        var random = SeededGenerator(for: "history")
        let here = try mount("here")
        var there: RunningMount? = try mount("there")
        var total: [String: Int] = [:]

        for round in 0..<Self.rounds {
            let trouble = Trouble.allCases[round % Trouble.allCases.count]
            let (names, counters) = try rounds(round, [here, try #require(there)], trouble, &random)
            if trouble == .regionDies { try system.prepareFiles() }
            let isOver = Lock(false)
            let threads = (names.bodies + counters.bodies).map { body in
                Thread(name: "history") { body { isOver.withLock { $0 } } }
            }
            let before = UInt32.random(in: 0...Self.roundMicros, using: &random)
            usleep(before)
            switch trouble {
            case .none: break
            case .regionDies:
                system.killFiles()
                usleep(UInt32.random(in: 0...300_000, using: &random))
                try system.startPreparedFiles()
            case .daemonDies: there?.kill()
            }
            usleep(Self.roundMicros - before)
            isOver.withLock { $0 = true }
            for thread in threads { thread.join() }
            if trouble == .daemonDies {
                // The last reference: it unmounts what stands there.
                there = nil
                there = try mount("there")
            }
            let after = [here, try #require(there)]
            for problem in try names.problems(after) + counters.problems() {
                Issue.record("round \(round), \(trouble): \(problem)")
            }
            for (what, count) in names.counts + counters.counts { total[what, default: 0] += count }
        }

        print(
            "\(Self.rounds) rounds: \(total.sorted { $0.key < $1.key }.map { "\($0) \($1)" }.joined(separator: ", "))"
        )
        try there?.stop()
        try here.stop()
    }

    private func rounds(
        _ round: Int,
        _ mounts: [RunningMount],
        _ trouble: Trouble,
        _ random: inout SeededGenerator
    ) throws -> (NameRound, CounterRound) {
        // Who counts must hear what became of it.
        let counting = trouble == .daemonDies ? Array(mounts.prefix(1)) : mounts
        return (try NameRound(round, mounts, &random), try CounterRound(round, counting, &random))
    }
}
