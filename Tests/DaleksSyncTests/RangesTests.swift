import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// Ranges of a file's bytes: cleared, looked for, copied, sent and fetched.
@Suite struct RangesTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)
    private let span = Int64(Limits.spanBytes)

    init() throws { storage = try RegionStorage() }

    private func machine(_ adjust: (inout SyncEngine.Configuration) -> Void = { _ in }) throws -> Machine {
        try Machine(storage, owner: owner, adjust)
    }

    private static let large: [UInt8] = {
        var random = SeededGenerator(seed: 11)
        let block = random.bytes(count: 65_521)
        return Array((0..<56).flatMap { index in block.map { $0 ^ UInt8(index) } }.prefix(3_500_000))
    }()

    private func with(_ path: String, on machine: Machine, _ body: (FileContent) throws -> Void) throws {
        let inode = try machine.lookup(path).inode
        let content = try machine.doing { tree throws(Obstacle) in try tree.openContent(inode) }
        do { try body(content) } catch {
            try? machine.engine.tree.closeContent(content)
            throw error
        }
        try machine.engine.tree.closeContent(content)
    }

    @Test(arguments: [0, 1 << 20]) func `a cut that leaves no bytes behind its end is told to the region`(
        _ size: Int64
    ) throws {
        let (here, there) = (try machine(), try machine())
        defer { here.stop(); there.stop() }
        try here.write(Self.large, to: "file")
        try here.drain()
        let inode = try here.lookup("file").inode
        _ = try here.doing { tree throws(Obstacle) in try tree.truncate(inode, to: size) }
        try here.drain()

        #expect(try here.region.node(here.lookup("file").id).attributes.size == size)
        #expect(try there.read("file") == Array(Self.large.prefix(Int(size))))
    }

    @Test func `a file that was cut while its bytes were on their way is cut at the region too`() throws {
        let here = try machine()
        try here.write(Self.large, to: "file")
        try here.drain()
        here.region.loseAnswers(1_000)
        try here.write([1, 2, 3], to: "file")
        for _ in 0..<500 {
            if try here.region.node(here.lookup("file").id).content != here.lookup("file").content { break }
            usleep(10_000)
        }
        let inode = try here.lookup("file").inode
        _ = try here.doing { tree throws(Obstacle) in try tree.truncate(inode, to: 0) }
        let left = try StateCopy(of: here)
        here.stop()

        let after = try Machine(storage, owner: owner, folder: left.folder)
        defer { after.stop() }
        try after.drain()
        let there = try machine()
        defer { there.stop() }
        #expect(try after.read("file") == [])
        #expect(try there.read("file") == [])
    }

    @Test func `holes are punched, found, and arrive elsewhere`() throws {
        let (here, there) = (try machine(), try machine())
        defer { here.stop(); there.stop() }
        try here.write(Self.large, to: "file")
        try here.drain()
        let hole = span + 4_096..<2 * span + 8_192
        try with("file", on: here) { content in
            try here.doing { _ throws(Obstacle) in try content.punch(hole) }
            #expect(try content.nextHole(from: 0) == hole.lowerBound)
            #expect(try content.nextData(from: hole.lowerBound) == hole.upperBound)
            #expect(try content.nextHole(from: hole.upperBound) == Int64(Self.large.count))
            #expect(throws: Obstacle.errno(.noSuchDevice)) { try content.nextData(from: Int64(Self.large.count)) }
        }
        try here.drain()

        var expected = Self.large
        expected.replaceSubrange(
            Int(hole.lowerBound)..<Int(hole.upperBound),
            with: repeatElement(0, count: hole.count)
        )
        #expect(try here.read("file") == expected)
        #expect(try there.read("file") == expected)
    }

    @Test func `zeroing may let the file grow, and setting space aside too`() throws {
        let machine = try machine()
        defer { machine.stop() }
        try machine.write([1, 2, 3, 4], to: "file")
        try with("file", on: machine) { content in
            try content.zero(2..<span + 10, keepsSize: false)
            #expect(content.live.size == span + 10)
            try content.zero(0..<1, keepsSize: true)
            try content.allocate(0..<3 * span, keepsSize: true)
            #expect(content.live.size == span + 10)
            try content.allocate(0..<2 * span, keepsSize: false)
        }
        #expect(try machine.read("file") == [0, 2] + [UInt8](repeating: 0, count: Int(2 * span) - 2))
    }

    @Test func `a copy inside this machine sends no bytes that the region has`() throws {
        let (here, there) = (try machine(), try machine())
        defer { here.stop(); there.stop() }
        try here.write(Self.large, to: "file")
        try here.drain()
        let before = here.region.putBytes
        try here.make("copy")
        try with("file", on: here) { source in
            try with("copy", on: here) { target in
                let copied = try source.copy(0..<Int64.max / 2, to: target, at: 0)
                #expect(copied == Int64(Self.large.count))
            }
        }
        try here.drain()

        #expect(try there.read("copy") == Self.large)
        #expect(here.region.putBytes == before)
    }

    @Test func `a page written into a large file sends its piece, or its span, and not the file`() throws {
        let (here, there) = (try machine(), try machine())
        defer { here.stop(); there.stop() }
        try here.write(Self.large, to: "file")
        try here.drain()
        var expected = Self.large
        let before = here.region.putBytes
        for (round, offset) in [100_000, 2_000_000, 100_000, 3_499_000].enumerated() {
            let page = [UInt8](repeating: UInt8(round + 1), count: 4_096)
            try here.write(page, to: "file", at: Int64(offset))
            if expected.count < offset + 4_096 {
                expected += [UInt8](repeating: 0, count: offset + 4_096 - expected.count)
            }
            expected.replaceSubrange(offset..<offset + 4_096, with: page)
            if round != 1 { try here.drain() }
        }

        #expect(try here.read("file") == expected)
        #expect(try there.read("file") == expected)
        // A region that knows no pieces gets the four spans that changed, as they changed.
        let most = here.region.features.contains(.pieces) ? 6 * Int64(Limits.pieceBytes) : 4 * span
        #expect(here.region.putBytes - before <= most)
    }

    @Test func `at the reserve a write fails, and goes on when there is space again`() throws {
        let folder = ScratchFolder()
        let full = try Machine(storage, owner: owner, folder: folder) { $0.space.reserveBytes = 1 << 60 }
        #expect(throws: Obstacle.errno(.noSpace)) { try full.write([1, 2, 3], to: "file") }
        #expect(try full.read("file") == [])
        full.stop()

        let roomy = try Machine(storage, owner: owner, folder: folder)
        defer { roomy.stop() }
        try roomy.write([1, 2, 3], to: "file")
        #expect(try roomy.read("file") == [1, 2, 3])
    }

    @Test func `a writer waits while more is unsent than the cache may hold, and not while the region is away`() throws
    {
        let machine = try machine { $0.space = CacheSpace(bytesMax: 1 << 20, reserveBytes: 0) }
        defer { machine.stop() }
        for index in 0..<4 { try machine.write(Self.large, to: "file \(index)") }
        machine.region.setUp(false)
        for index in 4..<7 { try machine.write(Self.large, to: "file \(index)") }
        machine.region.setUp(true)
        try machine.drain()
        for index in 0..<7 { #expect(try machine.read("file \(index)") == Self.large) }
    }

    @Test func `a reader from front to back is recognised, and one at random is not`() {
        var ahead = ReadAhead()
        let size: Int64 = 64 << 20
        var wanted: [Range<Int>] = []
        for offset in stride(from: Int64(0), to: size, by: 131_072) {
            let (range, isScattered) = ahead.note(offset, count: 131_072, size: size)
            #expect(!isScattered)
            if let range { wanted.append(range) }
        }
        #expect(zip(wanted, wanted.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        #expect(wanted.last?.upperBound == 64)
        #expect(wanted.contains { $0.count >= 8 })

        var random = SeededGenerator(seed: 3)
        ahead = ReadAhead()
        let asked = (0..<200).map { _ in
            ahead.note(Int64.random(in: 0..<1 << 40, using: &random), count: 4_096, size: 1 << 40)
        }
        #expect(asked.count { $0.ahead != nil } < 5)
        #expect(asked.count(where: \.isScattered) > 195)
    }

    @Test func `who begins in the middle and goes on gets the span that he is in`() {
        var ahead = ReadAhead()
        let middle: Int64 = (7 << 20) + 300_000
        #expect(ahead.note(middle, count: 4_096, size: 64 << 20).isScattered)

        let (range, isScattered) = ahead.note(middle + 4_096, count: 16_384, size: 64 << 20)

        #expect(!isScattered)
        #expect(range?.lowerBound == 7)
    }

    @Test func `a reader that was behind the end of a file that was cut is no surprise`() {
        var ahead = ReadAhead()
        for offset in stride(from: Int64(0), to: 8 << 20, by: 131_072) {
            _ = ahead.note(offset, count: 131_072, size: 8 << 20)
        }
        #expect(ahead.note(7 << 20, count: 4_096, size: 1_000).ahead == nil)
        #expect(ahead.note(0, count: 4_096, size: 0).ahead == nil)
    }
}
