import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// What a check finds, and that it finds nothing where nothing is wrong.
@Suite(.bothDatabases) struct FsckTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    private var fsck: Fsck { Fsck(store: region.store, chunks: region.chunks) }

    private func fill() throws -> (small: (NodeID, Revision), large: (NodeID, Revision)) {
        var random = SeededGenerator(for: "fsck")
        func write(_ count: Int, _ text: String) throws -> (NodeID, Revision) {
            let file = try device.make(text)
            let bytes = random.bytes(count: count)
            return (file, try #require(try device.run(device.commit(bytes, to: file, base: .content(0))).content))
        }
        _ = try device.make("folder", .folder)
        return (try write(300, "small"), try write(60_000, "large"))
    }

    private func execute(_ sql: String) throws {
        try region.store.write { db in _ = try db.execute(SQL(sql)) }
    }

    @Test func `a sound region has no findings, before and after packing, collecting and changing`() throws {
        let files = try fill()
        #expect(try fsck.run(readsContents: true).findings == [])
        try region.packer.pack(olderThan: .seconds(-1))
        #expect(
            try device.run(.remove(parent: device.root, name: name("small"), node: files.small.0, time: moment)).isDone
        )
        #expect(try device.run(device.commit([1, 2], to: files.large.0, base: .content(files.large.1))).isDone)
        #expect(try fsck.run(readsContents: true).findings == [])
        for _ in 0..<3 {
            region.clock.advance(by: .seconds(90 * 86_400))
            try region.collector().collect()
        }
        let report = try fsck.run(readsContents: true)
        #expect(report.findings == [])
        #expect(report.unusedBytes == 0 && report.treeCount == 1)
    }

    @Test(arguments: [
        ("UPDATE chunks SET usage = usage + 1", Fsck.Finding.Kind.wrongCount),
        ("DELETE FROM chunks", .lostContent),
        ("DELETE FROM small_chunks", .lostContent),
        ("DELETE FROM manifests", .danglingRow),
        ("UPDATE nodes SET entry_count = entry_count + 1 WHERE entry_count > 0", .wrongCount),
        ("DELETE FROM nodes WHERE content > 0", .danglingRow),
        ("UPDATE manifests SET body = digest FROM chunks", .lostContent),
    ])
    func `what is wrong is found and left as it is`(sql: String, kind: Fsck.Finding.Kind) throws {
        _ = try fill()
        try execute(sql)

        let first = try fsck.run()
        #expect(first.findings.contains { $0.kind == kind }, "\(first.findings)")
        #expect(try fsck.run().findings == first.findings)
    }

    @Test func `a scrub finds the content whose bytes changed`() throws {
        _ = try fill()
        let segment = try #require(try region.chunks.segments().first).number
        let digits = String(segment)
        let file = "chunks/\(String(repeating: "0", count: 10 - digits.utf8.count))\(digits).chunks"
        let descriptor = try FileDescriptor.open(region.folder.path(file), O_RDWR)
        try [UInt8]([1, 2, 3]).withUnsafeBytes { try descriptor.write($0, at: 30_000) }

        #expect(try fsck.run().findings == [])
        let findings = try fsck.run(readsContents: true).findings
        #expect(findings.count == 1 && findings.first?.kind == .lostContent)
    }

    @Test func `after a restore every cursor of before says list again`() throws {
        _ = try fill()
        let tree = try region.store.tree(of: device.owner)
        #expect(try region.store.raiseEpochs() == 1)
        let now = try region.store.tree(of: device.owner)
        #expect(now.epoch > tree.epoch && now.sequence > tree.sequence)
        #expect(now.setbacks.all == [Setback(kept: tree.sequence, resumed: now.sequence)])
    }

    /// However many steps the backup lacked, and whatever the clock did meanwhile.
    @Test func `no number is given out twice where the clock went back before the restore`() throws {
        let before = try region.store.tree(of: device.owner)
        var tree = before
        tree.comeBack(at: Timestamp(seconds: 2_000_000_000))
        var (once, again) = (tree, tree)

        once.comeBack(at: Timestamp(seconds: 1_999_000_000))
        again.comeBack(at: Timestamp(seconds: 1_999_000_001))

        #expect(once.sequence > tree.sequence + 1_000_000_000)
        #expect(once.epoch > tree.epoch)
        #expect(again.sequence != once.sequence && again.epoch != once.epoch)
        #expect(tree.sequence == 2_000_000_000_000_000)
    }
}
