import DaleksSystem
import DaleksTestSupport
import Testing

/// Machines, lines and a region under a seed. `DALEKS_SEEDS=10000` runs more, `DALEKS_TEST_SEED=N` that one again.
@Suite struct SimulationTests {
    @Test func `machines and region agree in the end, whatever the network does`() throws {
        let given = Environment.current["DALEKS_TEST_SEED"].flatMap { UInt64($0) }
        let count = Environment.current["DALEKS_SEEDS"].flatMap { UInt64($0) } ?? 8
        let first = Environment.current["DALEKS_FIRST_SEED"].flatMap { UInt64($0) } ?? 1
        let seeds = given.map { $0...$0 } ?? first...(first + count - 1)
        var failures = 0
        for seed in seeds {
            do {
                try Simulation.run(seed: seed)
            } catch {
                Issue.record("\(error)")
                failures += 1
                if failures == 3 { return }
            }
        }
    }
}
