import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// Reads here and there in a large file that is not here.
@Suite struct GlimpseTests {
    private let here: Machine
    private let there: Machine
    private static let count = 5 << 19
    private let bytes: [UInt8]

    init() throws {
        let (owner, storage) = (UserID.random(at: .zero), try RegionStorage())
        here = try Machine(storage, owner: owner)
        there = try Machine(storage, owner: owner, name: "there")
        var random = SeededGenerator(for: "glimpses")
        bytes = random.bytes(count: Self.count)
        try here.write(bytes, to: "file")
        try here.drain()
    }

    private func open() throws -> FileContent {
        let inode = try there.lookup("file").inode
        return try there.doing { tree throws(Obstacle) in try tree.openContent(inode) }
    }

    /// As the mount reads for somebody who jumps.
    private func read(_ content: FileContent, at offset: Int64, _ count: Int = 4_096) throws -> [UInt8] {
        let glimpse = try there.doing { _ throws(Obstacle) in
            try content.requireReadable(at: offset, count: count, isScattered: true)
        }
        return try read(content, at: offset, count, glimpse)
    }

    private func read(_ content: FileContent, at offset: Int64, _ count: Int, _ glimpse: Glimpse?) throws -> [UInt8] {
        var read = [UInt8](repeating: 0xee, count: count)
        let got = try read.withUnsafeMutableBytes { try content.read(into: $0, at: offset, with: glimpse) }
        return Array(read[..<got])
    }

    private func expect(_ content: FileContent, at offset: Int64, _ count: Int = 4_096, of bytes: [UInt8]? = nil) throws
    {
        let bytes = bytes ?? self.bytes
        let end = min(Int(offset) + count, bytes.count)
        #expect(try read(content, at: offset, count) == Array(bytes[Int(offset)..<end]))
    }

    private func spans(_ content: FileContent) -> [Int] { content.state.withLock { $0.spans.keys } }

    @Test func `a read here and there brings a piece and not a span`() throws {
        defer { here.stop(); there.stop() }
        let content = try open()
        let asked = Lock<[ContentReads.Read]>([])
        there.region.onRead { reads in asked.withLock { $0 += reads.reads } }

        for offset: Int64 in [2_500_000, 200_001, 3 << 19] { try expect(content, at: offset) }

        #expect(asked.withLock { $0.reduce(0) { $0 + $1.range.count } } <= 4 * Limits.pieceBytes)
        // Nobody has checked them, so that they do not count as here, now or after the next start.
        #expect(spans(content).isEmpty)
        let kept = try there.engine.tree.database.reading { db throws in
            try ContentTable.states(of: content.inode, in: db).count
        }
        #expect(kept == 0)
    }

    @Test func `the same place again costs nothing`() throws {
        defer { here.stop(); there.stop() }
        let content = try open()
        try expect(content, at: 2_500_000)
        let before = there.region.readCount

        for offset: Int64 in [2_500_000, 2_501_000, 2_499_000] { try expect(content, at: offset) }

        #expect(there.region.readCount == before)
    }

    @Test func `who wants much of a span gets all of it`() throws {
        defer { here.stop(); there.stop() }
        let content = try open()

        for piece in stride(from: Int64(0), to: 12, by: 2) { try expect(content, at: 1 << 20 + piece * 65_536) }

        #expect(spans(content) == [1])
        #expect(content.state.withLock { $0.glimpses.isEmpty })
        try expect(content, at: 1 << 20, 1 << 20)
    }

    @Test func `reads across pieces, spans and the end are whole`() throws {
        defer { here.stop(); there.stop() }
        let content = try open()
        try expect(content, at: 65_536 * 3 - 100, 200)
        try expect(content, at: 1 << 20 - 100, 200)
        try expect(content, at: Int64(Self.count) - 100, 200)
        #expect(try read(content, at: Int64(Self.count), 200).isEmpty)
        // One half is here, and the other is not.
        _ = try there.doing { _ throws(Obstacle) in try content.requireReadable(at: 1 << 20, count: 1) }
        try expect(content, at: 2 << 20 - 100, 200)
        #expect(spans(content) == [1])
    }

    @Test func `what is written is read, and what was glimpsed around it`() throws {
        defer { here.stop(); there.stop() }
        let content = try open()
        var expected = bytes
        try expect(content, at: 1 << 20 + 65_536)
        expected.replaceSubrange(1 << 20 + 65_536..<1 << 20 + 65_546, with: [UInt8](repeating: 5, count: 10))

        _ = try [UInt8](repeating: 5, count: 10).withUnsafeBytes { buffer in
            try there.doing { _ throws(Obstacle) in try content.write(buffer, at: 1 << 20 + 65_536) }
        }

        try expect(content, at: 1 << 20 + 65_536, of: expected)
        try there.engine.tree.closeContent(content)
        try there.drain()
        let again = try open()
        try expect(again, at: 1 << 20 + 65_536, of: expected)
        try expect(again, at: 2 << 20, of: expected)
    }

    @Test func `a file that was cut and grew shows no glimpse of before`() throws {
        defer { here.stop(); there.stop() }
        let content = try open()
        try expect(content, at: 2 << 20)
        let inode = content.inode

        _ = try there.doing { tree throws(Obstacle) in try tree.truncate(inode, to: 1 << 20) }
        _ = try there.doing { tree throws(Obstacle) in try tree.truncate(inode, to: Int64(Self.count)) }

        #expect(try read(content, at: 2 << 20) == [UInt8](repeating: 0, count: 4_096))
    }

    @Test func `what was replaced elsewhere is not mixed with a glimpse of before`() throws {
        defer { here.stop(); there.stop() }
        let content = try open()
        let old = try there.doing { _ throws(Obstacle) in
            try content.requireReadable(at: 2 << 20, count: 4_096, isScattered: true)
        }
        let revision = content.state.withLock { $0.revision }

        try here.write([UInt8](repeating: 9, count: Self.count), to: "file")
        try here.drain()
        #expect(eventually { content.state.withLock { $0.revision } != revision })

        #expect(throws: Obstacle.self) { try read(content, at: 2 << 20, 4_096, old) }
        #expect(try read(content, at: 2 << 20) == [UInt8](repeating: 9, count: 4_096))
    }

    @Test func `glimpses are bounded, however many are taken`() throws {
        defer { here.stop(); there.stop() }
        var glimpses = Fetcher.Glimpses()
        let content = try open()

        let forgotten = (0..<2_000).compactMap { piece in
            glimpses.keep(Fetcher.Glimpses.One(content: content, piece: piece))
        }

        #expect(forgotten.map(\.piece) == Array(0..<2_000 - Fetcher.Glimpses.countMax))
        #expect(glimpses.kept.count <= 2 * Fetcher.Glimpses.countMax + 1)
    }

    @Test func `a hole is zeros`() throws {
        defer { here.stop(); there.stop() }
        let inode = try here.lookup("file").inode
        _ = try here.doing { tree throws(Obstacle) in try tree.truncate(inode, to: 4 << 20) }
        try here.drain()
        #expect(eventually { (try? there.lookup("file").attributes.size) == 4 << 20 })
        let content = try open()

        #expect(try read(content, at: 3 << 20) == [UInt8](repeating: 0, count: 4_096))
        #expect(
            try read(content, at: Int64(Self.count) - 10, 20) == bytes.suffix(10) + [UInt8](repeating: 0, count: 10)
        )
    }
}
