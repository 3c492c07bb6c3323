import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Testing

/// Waiting for the region: what a file system of a stricter durability does before it answers.
@Suite struct RegionWaitsTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private func machine(_ name: String = "here", isConnected: Bool = true) throws -> Machine {
        try Machine(storage, owner: owner, name: name, isConnected: isConnected)
    }

    /// How a wait ended: `.some(nil)` where all is well, nil where it has not after ten seconds.
    private final class Outcome: Sendable {
        private let state = Condition<[Errno?]>([])

        func note(_ errno: Errno?) {
            state.withLock { $0.append(errno) }
            state.broadcast()
        }

        func wait(for limit: Duration = .seconds(10)) -> Errno?? {
            state.wait(timeout: limit) { ended -> Errno?? in ended.first }
        }
    }

    private func outcome(
        _ machine: Machine,
        _ awaited: SyncEngine.Awaited,
        within limit: Duration = .seconds(10)
    ) -> Outcome {
        let outcome = Outcome()
        machine.engine.whenAtRegion(awaited, within: limit) { outcome.note($0) }
        return outcome
    }

    @Test func `a file is waited for until the region has its bytes`() throws {
        let here = try machine()
        defer { here.stop() }
        for round in 0..<20 {
            try here.write([UInt8](repeating: UInt8(round), count: 10_000 * (round + 1)), to: "file")
            let node = try here.lookup("file")

            #expect(outcome(here, .node(node.inode)).wait() == .some(nil))

            let there = try here.region.node(node.id)
            #expect(there.attributes.size == Int64(10_000 * (round + 1)))
            #expect(try here.engine.tree.status(of: node.inode) == .synced)
        }
    }

    @Test func `names are waited for until the region has them`() throws {
        let here = try machine()
        defer { here.stop() }
        let folder = try here.make("folder", .folder).inode
        try here.make("folder/inner", .folder)

        #expect(outcome(here, .names(in: [folder])).wait() == .some(nil))

        let inner = try here.lookup("folder/inner")
        #expect(try here.region.node(inner.id).attributes.kind == .folder)
    }

    @Test func `while the region is away waiting ends at its limit, and what was waited for is sent later`() throws {
        let here = try machine()
        defer { here.stop() }
        try here.write([1], to: "file")
        try here.drain()
        here.region.setUp(false)
        try here.write([2, 3], to: "file")
        let inode = try here.lookup("file").inode
        let began = TimeSource.system.now

        let (short, long) = (outcome(here, .node(inode), within: .milliseconds(300)), outcome(here, .node(inode)))

        #expect(short.wait() == .some(.io))
        #expect(TimeSource.system.now - began < .seconds(5) && long.wait(for: .zero) == nil)
        here.region.setUp(true)
        #expect(long.wait() == .some(nil))
    }

    @Test func `what is undone before the region heard of it is not waited for`() throws {
        let here = try machine()
        defer { here.stop() }
        _ = try here.list()
        // Not numbered either: what was sent has to be answered.
        here.engine.pause(true)
        try here.write([2, 3], to: "file")
        let waiting = outcome(here, .names(in: [.root]), within: .seconds(60))

        try here.remove("file")

        #expect(waiting.wait() == .some(nil))
    }

    @Test func `who stops is waited for by nobody`() throws {
        let here = try machine()
        _ = try here.list()
        here.region.setUp(false)
        try here.write([2, 3], to: "file")
        let waiting = outcome(here, .names(in: [.root]), within: .seconds(60))

        here.stop()

        #expect(waiting.wait(for: .zero) == .some(.io))
    }

    @Test func `who caught up has what another machine did before`() throws {
        let (here, there) = (try machine(), try machine("there"))
        defer { here.stop(); there.stop() }
        try there.write([0], to: "file")
        try there.drain()
        _ = try here.read("file")
        for round: UInt8 in 1...30 {
            try there.write([round], to: "file")
            try there.drain()

            let caughtUp = Outcome()
            here.engine.whenCaughtUp(within: .seconds(10)) { caughtUp.note($0) }

            #expect(caughtUp.wait() == .some(nil))
            #expect(try here.read("file") == [round])
        }
        here.region.setUp(false)
        let away = Outcome()
        here.engine.whenCaughtUp(within: .milliseconds(200)) { away.note($0) }
        #expect(away.wait() == .some(.timedOut))
    }

    @Test func `a region that is back in time is waited for, unless nobody is patient`() throws {
        let here = try machine()
        defer { here.stop() }
        _ = try here.list()
        here.region.setUp(false)

        let (patient, impatient) = (Outcome(), Outcome())
        here.engine.whenCaughtUp(within: .seconds(20)) { patient.note($0) }
        here.engine.whenCaughtUp(isPatient: false, within: .seconds(20)) { impatient.note($0) }

        #expect(impatient.wait(for: .seconds(5)) == .some(.timedOut))
        here.region.setUp(true)
        #expect(patient.wait() == .some(nil))
    }
}
