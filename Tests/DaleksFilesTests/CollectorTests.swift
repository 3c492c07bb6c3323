import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What is given up, when, and what never is.
@Suite(.bothDatabases) struct CollectorTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    private func write(_ bytes: [UInt8], to text: String) throws -> (NodeID, Revision) {
        let file = try device.make(text)
        return (file, try #require(try device.run(device.commit(bytes, to: file, base: .content(0))).content))
    }

    private func isStored(_ bytes: [UInt8]) throws -> Bool {
        try region.store.missing([SHA256.digest(of: bytes)], of: device.owner).isEmpty
    }

    private func rows(_ table: String) throws -> Int64 {
        try region.store.read { db in
            try db.first(SQL("SELECT count(*) FROM \(table)")) { try $0.int64(0) } ?? 0
        }
    }

    private func collect(after duration: Duration) throws {
        region.clock.advance(by: duration)
        try region.collector().collect()
    }

    @Test func `a removed file lies in the trash, and gone from there it is gone with its chunks`() throws {
        let bytes: [UInt8] = [1, 2, 3]
        let (file, content) = try write(bytes, to: "a")
        #expect(try device.run(.remove(parent: device.root, name: name("a"), node: file, time: moment)).isDone)

        try collect(after: .seconds(29 * 86_400))
        #expect(try device.bytes(file, at: content) == bytes)
        try collect(after: .seconds(2 * 86_400))

        #expect(throws: APIError.self) { try device.bytes(file, at: content) }
        #expect(try rows("nodes") == 1 && rows("manifests") == 0 && rows("chunks") == 1)
        try collect(after: .seconds(4_000))
        #expect(try rows("chunks") == 0)
        #expect(try !isStored(bytes))
    }

    @Test func `replaced content is thinned by the hour and what it shares with the present stays`() throws {
        let (shared, old, new): ([UInt8], [UInt8], [UInt8]) = ([1], [2], [3])
        let (file, first) = try write(old, to: "a")
        let (other, content) = try write(shared, to: "b")
        let second = try #require(try device.run(device.commit(shared, to: file, base: .content(first))).content)
        let third = try #require(try device.run(device.commit(new, to: file, base: .content(second))).content)

        try collect(after: .seconds(3_000))
        #expect(try device.bytes(file, at: first) == old)
        for _ in 0..<3 { try collect(after: .seconds(4_000)) }

        #expect(try device.bytes(file, at: third) == new)
        #expect(try device.bytes(other, at: content) == shared)
        let error = #expect(throws: APIError.self) { try device.bytes(file, at: first) }
        #expect(error?.code == .gone)
        // The last of its hour.
        #expect(try device.bytes(file, at: second) == shared)
        #expect(try isStored(shared) && isStored(new) && !isStored(old))
    }

    @Test func `a chunk that somebody was told of just now is not taken`() throws {
        let bytes: [UInt8] = [9, 9]
        let digest = SHA256.digest(of: bytes)
        _ = try region.content.put(bytes, as: digest, of: device.owner)

        region.clock.advance(by: .seconds(3_500))
        #expect(try isStored(bytes))
        try collect(after: .seconds(200))
        #expect(try isStored(bytes))
        try collect(after: .seconds(3_700))
        #expect(try !isStored(bytes))

        #expect(try region.content.put(bytes, as: digest, of: device.owner))
        let file = try device.make("a")
        let content = try #require(try device.run(device.commit(bytes, to: file, base: .content(0))).content)
        #expect(try device.bytes(file, at: content) == bytes)
    }

    @Test func `pages that revisions share go with the last of them`() throws {
        let mebibyte = 1 << 20
        let bytes = [UInt8](repeating: 5, count: mebibyte)
        let digest = SHA256.digest(of: bytes)
        _ = try region.content.put(bytes, as: digest, of: device.owner)
        let file = try device.make("big")
        let count = 2 * Limits.Files.manifestPageSpanCount
        func commit(_ base: Revision, _ spans: [Span]) throws -> Revision {
            let commit = Mutation.Commit(
                node: file,
                base: .content(base),
                size: Int64(count * mebibyte),
                spans: spans,
                modified: moment,
                time: moment
            )
            return try #require(try device.run(.commit(commit)).content)
        }
        func usage() throws -> Int64 {
            try region.store.read { db in try db.first("SELECT usage FROM chunks") { try $0.int64(0) } ?? 0 }
        }

        let first = try commit(0, (0..<count).map { Span(index: $0, bytes: mebibyte, source: .chunk(digest)) })
        let second = try commit(first, [Span(index: 0, bytes: mebibyte, source: .hole)])
        #expect(try usage() == Int64(count + count / 2 - 1))
        try region.store.deleteVersion(first, of: file, by: device.owner)
        try collect(after: .seconds(4_000))

        #expect(try usage() == Int64(count - 1))
        #expect(try rows("manifest_pages") == 2)
        #expect(try device.manifest(file, at: second).spans.count == count - 1)
        #expect(try device.run(.remove(parent: device.root, name: name("big"), node: file, time: moment)).isDone)
        region.clock.advance(by: .seconds(1))
        try region.store.emptyTrash(of: device.owner)
        try collect(after: .seconds(4_000))
        #expect(try rows("manifest_pages") == 0)
        #expect(try usage() == 0)
    }

    @Test func `a feed is shortened to its limit and says when a cursor is too old`() throws {
        for index in 0..<10 { _ = try device.make("\(index)") }
        var collector = region.collector()
        collector.feedChangeCountMax = 4
        try collector.collect()

        #expect(try rows("changes") == 4)
        let page = try region.store.changes(of: device.owner, after: Cursor(epoch: 1, sequence: 6))
        #expect(page.changes.map(\.sequence) == [7, 8, 9, 10])
        let error = #expect(throws: APIError.self) {
            try region.store.changes(of: device.owner, after: Cursor(epoch: 1, sequence: 5))
        }
        #expect(error?.code == .cursorExpired)
    }
}
