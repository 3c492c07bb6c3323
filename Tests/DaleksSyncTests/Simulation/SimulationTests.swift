import DaleksSystem
import DaleksTestSupport
import Testing

/// Machines, lines and a region under a seed. `DALEKS_SEEDS=10000` runs more, `DALEKS_TEST_SEED=N` that one again.
///
/// Regions that come back, folders that are put back or used twice, and haste have a count of their own,
/// `DALEKS_TROUBLE_SEEDS`. What does not come to rest yet is told in docs/conflicts.md, known gaps.
@Suite struct SimulationTests {
    @Test func `machines and region agree in the end, whatever the network does`() throws {
        try run(.none, count: 8)
    }

    @Test func `what a backup forgot is there again, whoever was how far`() throws { try run(.returns, count: 3) }

    @Test func `a folder that is put back or used twice loses nothing`() throws { try run(.copies, count: 3) }

    @Test func `files that are cut and replaced in haste are what they were last`() throws { try run(.haste, count: 3) }

    private func run(_ trouble: Simulation.Trouble, count standard: UInt64) throws {
        let given = Environment.current["DALEKS_TEST_SEED"].flatMap { UInt64($0) }
        let variable = trouble == .none ? "DALEKS_SEEDS" : "DALEKS_TROUBLE_SEEDS"
        let count = Environment.current[variable].flatMap { UInt64($0) } ?? standard
        let first = Environment.current["DALEKS_FIRST_SEED"].flatMap { UInt64($0) } ?? 1
        let seeds = given.map { $0...$0 } ?? first...(first + count - 1)
        var failures = 0
        for seed in seeds {
            do {
                try Simulation.run(seed: seed, trouble)
            } catch {
                Issue.record("\(error)")
                failures += 1
                if failures == 12 { return }
            }
        }
    }
}
