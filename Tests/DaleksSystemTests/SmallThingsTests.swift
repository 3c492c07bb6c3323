import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct SmallThingsTests {
    @Test func `the monotonic clock goes on and the wall clock agrees with the C library`() {
        let first = TimeSource.system.now
        usleep(2_000)
        #expect(TimeSource.system.now - first >= .milliseconds(2))
        #expect(abs(TimeSource.system.wall.seconds - Int64(time(nil))) <= 1)
    }

    @Test func `random bytes are all drawn and differ`() {
        #expect(Random.bytes(count: 0) == [])
        let many = Random.bytes(count: 100_000)
        #expect(many.count == 100_000 && Set(many).count == 256)
        #expect(Random.bytes(count: 32) != Random.bytes(count: 32))
        #expect(Set((0..<100).map { _ in Random.word() }).count == 100)
        let now = Timestamp(seconds: 1_800_000_000)
        #expect(NodeID.random(at: now) != NodeID.random(at: now))
    }

    @Test func `an edited migration has another checksum`() {
        let first = Migration(1, "begin", "CREATE TABLE a (b);")
        #expect(first.checksum.count == 16)
        #expect(first.checksum == Migration(2, "other name", "CREATE TABLE a (b);").checksum)
        #expect(first.checksum != Migration(1, "begin", "CREATE TABLE a (b) ;").checksum)
        // The standard's own vectors for FNV-1a.
        #expect(Migration(1, "", "").checksum == "cbf29ce484222325")
        #expect(Migration(1, "", "a").checksum == "af63dc4c8601ec8c")
    }

    @Test func `a close spelling is found and a far one is not`() {
        let known = ["status", "sync", "share", "login", "logout", "mount", "umount"]
        #expect(Spelling.closest(to: "stauts", among: known) == "status")
        #expect(Spelling.closest(to: "unmount", among: known) == "umount")
        #expect(Spelling.closest(to: "statu", among: known) == "status")
        #expect(Spelling.closest(to: "frobnicate", among: known) == nil)
        #expect(Spelling.closest(to: String(repeating: "x", count: 10_000), among: known) == nil)
        #expect(Spelling.closest(to: "x", among: []) == nil)
    }

    @Test func `the same seed draws the same numbers`() {
        var first = SeededGenerator(seed: 42)
        var second = SeededGenerator(seed: 42)
        #expect((0..<100).map { _ in first.next() } == (0..<100).map { _ in second.next() })
        var one = SeededGenerator(seed: 1)
        #expect((0..<1_000).count { _ in one.oneIn(10) } > 50)
        // The first number that SplitMix64 draws from 0.
        var zero = SeededGenerator(seed: 0)
        #expect(zero.next() == 0xe220_a839_7b1d_cdaf)
    }

    @Test func `a manual clock moves when told`() {
        let clock = ManualClock()
        let (now, wall) = (clock.source.now, clock.source.wall)
        clock.advance(by: .seconds(5))
        #expect(clock.source.now - now == .seconds(5) && clock.source.wall - wall == .seconds(5))
        clock.setWall(.zero)
        #expect(clock.source.wall == .zero && clock.source.now - now == .seconds(5))
    }

    @Test func `a scratch folder goes with its last reference`() throws {
        var folder: ScratchFolder? = ScratchFolder()
        let path = try #require(folder).path
        try folder?.write("x", to: "file")
        #expect(Files.isDirectory(path))
        folder = nil
        #expect(!Files.isDirectory(path))
    }

    @Test func `a requirement that is not met has a reason`() {
        #expect(!Requirement.program("no-such-program", package: "none").isMet)
        #expect(Requirement.program("sh", package: "dash").isMet)
        #expect(Requirement.root.isMet != Requirement.ordinaryUser.isMet)
    }
}
