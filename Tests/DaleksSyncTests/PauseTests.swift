import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksSync

/// Once `daleks pause` has returned nothing more goes out, and what goes out later is none the worse for it.
@Suite struct PauseTests {
    let storage: RegionStorage
    let here: Machine

    init() throws {
        storage = try RegionStorage()
        here = try Machine(storage, owner: .random(at: .zero))
    }

    private static func bytes(_ count: Int, _ seed: UInt64 = 3) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return random.bytes(count: count)
    }

    @Test func `no batch and no chunk goes out once it has returned`() throws {
        defer { here.stop() }
        let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 3
        for round in 0..<rounds {
            try here.write(Self.bytes(2_500_000, UInt64(round)), to: "large-\(round)")
            for number in 0..<5 { try here.write([1, 2, 3], to: "small-\(round)-\(number)") }
            // At another point of what the pusher does each time.
            usleep(UInt32(round % 20) * 6_000)

            here.engine.pause(true)

            let sent = (here.region.batchCount, here.region.putBytes)
            try here.write([4], to: "after-\(round)")
            usleep(60_000)
            #expect((here.region.batchCount, here.region.putBytes) == sent, "round \(round)")
            here.engine.pause(false)
        }
        try here.drain()
        #expect(try here.list().count == rounds * 7)
    }

    @Test func `what is on its way is waited for`() throws {
        defer { here.stop() }
        let (isThere, goesOn) = (Gate(), Gate())
        here.region.onMutation {
            isThere.open()
            goesOn.wait(timeout: .seconds(10))
        }
        try here.make("file")
        #expect(isThere.wait(timeout: .seconds(10)))
        let hasReturned = Lock(false)
        let engine = here.engine
        let pausing = Thread(name: "pausing") {
            engine.pause(true)
            hasReturned.withLock { $0 = true }
        }
        usleep(50_000)
        #expect(!hasReturned.withLock { $0 })

        goesOn.open()
        pausing.join()

        #expect(here.engine.pendingCount == 0)
    }

    @Test func `a region that does not answer keeps nobody for ever`() throws {
        let (isThere, goesOn) = (Gate(), Gate())
        defer {
            goesOn.open()
            here.stop()
        }
        here.region.onMutation {
            isThere.open()
            goesOn.wait(timeout: .seconds(10))
        }
        try here.write([1], to: "file")
        #expect(isThere.wait(timeout: .seconds(10)))

        here.engine.pause(true, waitingUpTo: .milliseconds(50))

        let sent = here.region.batchCount
        try here.write([1], to: "another")
        goesOn.open()
        usleep(100_000)
        #expect(here.region.batchCount == sent)
    }

    @Test func `who sends can pause without waiting for himself`() throws {
        defer { here.stop() }
        let engine = here.engine
        let took = Lock<Duration?>(nil)
        here.region.onMutation {
            let begin = TimeSource.system.now
            engine.pause(true)
            took.withLock { $0 = TimeSource.system.now - begin }
        }

        try here.write([1], to: "file")

        #expect(eventually { took.withLock { $0 } != nil })
        #expect(took.withLock { $0 ?? .seconds(60) } < .seconds(5))
    }

    @Test func `a file that goes while its upload is paused keeps nothing here`() throws {
        defer { here.stop() }
        let engine = here.engine
        let isThere = Gate()
        here.region.onPut {
            isThere.open()
            engine.pause(true, waitingUpTo: .zero)
        }
        try here.write(Self.bytes(3_000_000), to: "file")
        let inode = try here.lookup("file").inode
        #expect(isThere.wait(timeout: .seconds(10)))

        try here.remove("file")
        here.engine.tree.letGo(of: inode)

        #expect(eventually { here.engine.tree.contents.loaded(inode) == nil })
        here.engine.pause(false)
        try here.drain()
        #expect(eventually { (try? here.engine.tree.node(inode)) == nil })
    }

    /// The first 16 MiB are at the region when the line breaks, and then their first byte changes.
    @Test func `an upload that was broken off goes on as the file was when it began`() throws {
        defer { here.stop() }
        let region = here.region
        let count = 17 << 20
        let old = Self.bytes(count)
        let (puts, isBroken) = (Lock(0), Gate())
        region.onPut {
            guard
                puts.withLock({ count in
                    count += 1; return count
                }) == 17
            else { return }
            region.setUp(false)
            isBroken.open()
        }
        // What the file began with at the region, whenever something is sent.
        let id = try here.make("file").id
        let firsts = Lock<[UInt8]>([])
        region.onMutation {
            guard let content = try? region.node(id).content, content > 0,
                let first = try? region.span(0, of: id, at: content).first
            else { return }
            firsts.withLock { if $0.last != first { $0.append(first) } }
        }
        try here.write(old, to: "file")
        #expect(isBroken.wait(timeout: .seconds(20)))

        try here.write([old[0] ^ 0xff], to: "file")
        region.setUp(true)
        try here.drain()
        try here.make("last")
        try here.drain()

        #expect(firsts.withLock { $0 } == [old[0], old[0] ^ 0xff])
    }
}
