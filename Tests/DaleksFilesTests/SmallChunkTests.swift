import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Small chunks begin in the database and move to the store.
@Suite(.bothDatabases) struct SmallChunkTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    private func count(_ table: String) throws -> Int64 {
        try region.store.read { db in
            try db.first(SQL("SELECT count(*) FROM \(table)")) { try $0.int64(0) } ?? 0
        }
    }

    private func segments() throws -> Int { try region.chunks.segments().count }

    private func write(_ bytes: [UInt8], to text: String) throws -> (NodeID, Revision) {
        let file = try device.make(text)
        return (file, try #require(try device.run(device.commit(bytes, to: file, base: .content(0))).content))
    }

    @Test func `a small file touches no segment until it is packed, and reads alike before and after`() throws {
        var random = SeededGenerator(for: "small chunks")
        let files = try (0..<50).map { index in
            let bytes = random.bytes(count: 1 + index * 300)
            return (bytes, try write(bytes, to: "file \(index)"))
        }
        #expect(try segments() == 0)
        #expect(try count("small_chunks") == 50)
        for (bytes, (file, content)) in files { #expect(try device.bytes(file, at: content) == bytes) }

        region.clock.advance(by: .seconds(31))
        try region.packer.pack(olderThan: .seconds(30))

        #expect(try count("small_chunks") == 0)
        #expect(try segments() == 1)
        #expect(region.chunks.barrierCount == 1)
        for (bytes, (file, content)) in files { #expect(try device.bytes(file, at: content) == bytes) }
    }

    @Test func `what is young is not packed, and what nobody uses any more goes from the database itself`() throws {
        let (file, content) = try write([1, 2, 3], to: "a")
        try region.packer.pack(olderThan: .seconds(30))
        #expect(try count("small_chunks") == 1)

        #expect(try device.run(.remove(parent: device.root, name: name("a"), node: file, time: moment)).isDone)
        for _ in 0..<3 {
            region.clock.advance(by: .seconds(90 * 86_400))
            try region.collector().collect()
        }

        #expect(try count("small_chunks") == 0)
        #expect(try count("chunks") == 0)
        #expect(throws: (any Error).self) { try device.bytes(file, at: content) }
    }

    @Test func `packing, collecting and putting the same again all at once lose nothing`() throws {
        // Two collectors and packers, as two processes would run them, against a device that goes on needing the same
        // few contents again just as they are condemned.
        let stop = Lock(false)
        let region = region
        let workers = (0..<2).map { _ in
            Thread(name: "collector") {
                while !stop.withLock({ $0 }) {
                    try? region.collector(grace: .zero).collect()
                    try? region.packer.pack(olderThan: .zero)
                }
            }
        }
        defer {
            stop.withLock { $0 = true }
            for worker in workers { worker.join() }
        }
        var random = SeededGenerator(for: "condemned")
        var contents = (0..<6).map { _ in random.bytes(count: 900) }
        contents += (0..<2).map { _ in random.bytes(count: 40_000) }
        let node = try device.make("a")
        var (base, lost) = (Revision(0), 0)
        for round in 0..<150 {
            region.clock.advance(by: .milliseconds(10))
            let bytes = contents[round % contents.count]
            let digest = SHA256.digest(of: bytes)
            _ = try region.content.put(bytes, as: digest, of: device.owner)
            let commit = Mutation.Commit(
                node: node,
                base: .content(base),
                size: Int64(bytes.count),
                spans: [Span(index: 0, bytes: bytes.count, source: .chunk(digest))],
                modified: moment,
                time: moment
            )
            switch try device.run(.commit(commit)) {
            case .done(_, let content?):
                base = content
                #expect(try device.bytes(node, at: content) == bytes)
            case .incomplete: lost += 1  // The collector was quicker; the device puts it again.
            case let other: throw TestFailure("round \(round): \(other)")
            }
        }
        #expect(lost < 150)
        #expect(try device.bytes(node, at: base).count > 0)
    }

    @Test func `many chunks in one body are entered together, each once`() throws {
        var random = SeededGenerator(for: "chunk batch")
        let contents = [100, 70_000, 5, 1 << 20].map { ChunkContent(random.bytes(count: $0)) }
        let stored = try region.content.put(contents + contents.prefix(2), of: device.owner)
        #expect(Set(stored) == Set(contents.map(\.digest)))
        #expect(try region.content.put(contents, of: device.owner).isEmpty)
        #expect(try count("chunks") == 4)
        #expect(try count("small_chunks") == 2)
    }

    @Test func `batched reads answer each with its bytes or its problem, and stop when full`() throws {
        var random = SeededGenerator(for: "batched reads")
        let bytes = random.bytes(count: 50_000)
        let (file, content) = try write(bytes, to: "a")
        let whole = ContentReads.Read(node: file, content: content, index: 0)
        let reads = [
            ContentReads.Read(node: file, content: content, index: 0, range: 10..<20),
            ContentReads.Read(node: .random(at: .zero), content: 1, index: 0, range: 0..<10),
            ContentReads.Read(node: file, content: content, index: 7, range: 0..<10),
            whole,
        ]

        let answers = region.content.read(ContentReads(reads), for: device.owner, requestID: "r").answers

        #expect(answers[0] == .bytes(Array(bytes[10..<20])))
        guard case .problem(let problem) = answers[1] else { throw TestFailure("a stranger's node was read") }
        #expect(String(decoding: problem, as: UTF8.self).contains("not_found"))
        #expect(answers[2] == .bytes([]))
        #expect(answers[3] == .bytes(bytes))
        let told = region.content.read(ContentReads(reads, wantsDigests: true), for: device.owner, requestID: "r")
        #expect(Array(told.answers.prefix(3)) == Array(answers.prefix(3)))
        #expect(told.answers[3] == .whole(SHA256.digest(of: bytes), bytes))
        let many = region.content.read(
            ContentReads([ContentReads.Read](repeating: whole, count: 400)),
            for: device.owner,
            requestID: "r"
        )
        let full = many.answers.count { $0 != .later }
        #expect((300..<400).contains(full) && many.bytes.count <= Limits.Wire.chunkBatchBytesMax + 2_000)
    }

    @Test func `a segment that is mostly garbage is emptied and then given back`() throws {
        var random = SeededGenerator(for: "compaction")
        let folder = ScratchFolder()
        let chunks = try LocalChunkStore(folder: folder.path("chunks"), segmentBytesMax: 400_000)
        let packer = Packer(store: region.store, chunks: chunks, measures: region.measures)
        let access = ChunkAccess(store: region.store, chunks: chunks, measures: region.measures)
        let contents = (0..<20).map { _ in ChunkContent(random.bytes(count: 100_000)) }
        for content in contents { try access.put([content], of: device.owner) }
        let tree = try region.store.tree(of: device.owner).number
        // Of each segment one chunk stays.
        for (index, content) in contents.enumerated() where index % 4 != 0 {
            try region.store.write { db in
                _ = try db.execute(
                    "DELETE FROM chunks WHERE tree = ?1 AND digest = ?2",
                    [.integer(tree), .digest(content.digest)]
                )
            }
        }
        let before = try chunks.segments().count

        region.clock.setWall(TimeSource.system.wall + .seconds(10_000))
        try packer.compact(grace: .seconds(3_600))

        let used = try region.store.read { db in try ChunkTable.segments(db) }
        #expect(used.count < before)
        let known = try region.store.read { db in try ChunkTable.page(after: nil, limit: 100, db) }
        #expect(known.count >= 5)
        for (placed, _) in known { #expect(try chunks.read(placed.digest, at: placed.location).count == 100_000) }
    }
}
