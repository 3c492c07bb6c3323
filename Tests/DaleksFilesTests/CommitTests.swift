import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Contents: bases, chunks, spans, sizes, quota.
@Suite(.bothDatabases) struct CommitTests {
    let region: TestRegion
    let device: TestDevice
    let file: NodeID

    init() throws {
        region = try TestRegion(bytesQuota: 10 << 20)
        device = try TestDevice(region)
        file = try device.make("file")
    }

    private func commit(
        _ base: Mutation.Base,
        size: Int64,
        _ spans: [Span],
        to node: NodeID? = nil
    ) throws -> OperationResult.Outcome {
        try device.run(
            .commit(
                Mutation.Commit(
                    node: node ?? file,
                    base: base,
                    size: size,
                    spans: spans,
                    modified: Timestamp(nanoseconds: 5_000),
                    time: moment
                )
            )
        )
    }

    private func chunk(_ count: Int, _ seed: UInt8) throws -> Span.Source {
        let bytes = [UInt8](repeating: seed, count: count)
        let digest = SHA256.digest(of: bytes)
        _ = try region.content.put(bytes, as: digest, of: device.owner)
        return .chunk(digest)
    }

    private let mebibyte = 1 << 20

    @Test func `committed bytes come back under their revision`() throws {
        let first = try #require(try device.run(device.commit([1, 2, 3], to: file, base: .content(0))).content)
        let second = try #require(try device.run(device.commit([4], to: file, base: .content(first))).content)

        #expect(try device.bytes(file, at: first) == [1, 2, 3])
        #expect(try device.bytes(file, at: second) == [4])
        let node = try device.node(file)
        #expect(node.content == second && node.revision == second && node.attributes.size == 1)
        #expect(node.attributes.modified.nanoseconds == 5_000 && node.attributes.changed.nanoseconds == 6_000)
        #expect(try region.store.usage(of: device.owner).bytesUsed == 1)
    }

    @Test func `a commit on other bytes than the device knew is a conflict that shows the present`() throws {
        let content = try #require(try device.run(device.commit([1], to: file, base: .content(0))).content)

        for base in [Mutation.Base.content(0), .content(content + 1), .operation(1), .operation(99)] {
            let outcome = try device.run(device.commit([2], to: file, base: base))
            #expect(outcome.conflict == .changed && outcome.currentNode == file)
        }
        #expect(try device.bytes(file, at: content) == [1])
    }

    @Test func `a base may be what an operation made, for as long as nobody else changed it`() throws {
        let (creation, other) = try device.creation("other")
        #expect(try device.run(creation).isDone)
        let created = device.last
        #expect(try device.run(device.commit([1], to: other, base: .operation(created))).isDone)
        let committed = device.last
        device.acknowledged = committed
        #expect(try device.run(device.commit([2], to: other, base: .operation(committed))).isDone)

        let second = try TestDevice(region, owner: device.owner)
        let content = try device.node(other).content
        #expect(try second.run(second.commit([3], to: other, base: .content(content))).isDone)

        #expect(try device.run(device.commit([4], to: other, base: .operation(committed + 1))).conflict == .changed)
    }

    /// It lists only what changed since that operation, so on other bytes it would make a file that nobody ever had.
    @Test func `what builds on an operation that was refused is refused`() throws {
        let spans = [Span(index: 0, bytes: mebibyte, source: try chunk(mebibyte, 1))]
        #expect(try commit(.content(7), size: Int64(mebibyte), spans).conflict == .changed)
        let refused = device.last

        let outcome = try commit(
            .operation(refused),
            size: Int64(mebibyte) + 1,
            [Span(index: 1, bytes: 1, source: .inline([9]))]
        )

        #expect(outcome.conflict == .changed)
        #expect(try device.node(file).content == 0)
    }

    @Test func `chunks that this owner does not store are asked for, and the operation has not run`() throws {
        let stranger = try TestDevice(region)
        let bytes: [UInt8] = [1, 2, 3]
        let digest = SHA256.digest(of: bytes)
        _ = try region.content.put(bytes, as: digest, of: stranger.owner)
        let span = Span(index: 0, bytes: 3, source: .chunk(digest))
        let (creation, _) = try device.creation("later")

        let batch = device.batch([
            .commit(
                Mutation.Commit(
                    node: file,
                    base: .content(0),
                    size: 3,
                    spans: [span],
                    modified: moment,
                    time: moment
                )
            ), creation,
        ])
        let outcomes = try device.send(batch).map(\.outcome)
        _ = try region.content.put(bytes, as: digest, of: device.owner)
        let again = try device.send(batch).map(\.outcome)

        #expect(outcomes == [.incomplete(missing: [digest]), .waiting])
        #expect(again.map(\.isDone) == [true, true])
    }

    @Test func `only changed spans are sent and holes are absent`() throws {
        let size = Int64(3 * mebibyte + 5)
        let first = try #require(
            try commit(
                .content(0),
                size: size,
                [
                    Span(index: 0, bytes: mebibyte, source: try chunk(mebibyte, 1)),
                    Span(index: 2, bytes: mebibyte, source: try chunk(mebibyte, 2)),
                    Span(index: 3, bytes: 5, source: .inline([1, 2, 3, 4, 5])),
                ]
            ).content
        )
        let second = try #require(
            try commit(
                .content(first),
                size: size,
                [
                    Span(index: 1, bytes: mebibyte, source: try chunk(mebibyte, 3)),
                    Span(index: 2, bytes: mebibyte, source: .hole),
                ]
            ).content
        )

        #expect(try device.manifest(file, at: first).spans.map(\.index) == [0, 2, 3])
        let manifest = try device.manifest(file, at: second)
        #expect(manifest.size == size)
        #expect(manifest.spans.map(\.index) == [0, 1, 3])
        #expect(manifest.spans.map(\.bytes) == [mebibyte, mebibyte, 5])
        #expect(try device.bytes(file, at: second, span: 1) == [UInt8](repeating: 3, count: mebibyte))
        #expect(try region.store.usage(of: device.owner).bytesUsed == Int64(2 * mebibyte + 5))
        #expect(try device.bytes(file, at: second, span: 2).isEmpty)
    }

    @Test func `spans past the end go, and the one that the end cuts must be given`() throws {
        let full = Int64(2 * mebibyte)
        let spans = [
            Span(index: 0, bytes: mebibyte, source: try chunk(mebibyte, 1)),
            Span(index: 1, bytes: mebibyte, source: try chunk(mebibyte, 2)),
        ]
        let content = try #require(try commit(.content(0), size: full, spans).content)

        let cut = try commit(.content(content), size: Int64(mebibyte + 3), [])
        let short = try commit(.content(content), size: Int64(mebibyte), [])
        let again = try commit(.content(try #require(short.content)), size: full, [])

        #expect(cut.deniedCode == "malformed")
        #expect(short.isDone && again.isDone)
        let manifest = try device.manifest(file, at: try #require(again.content))
        #expect(manifest.size == full && manifest.spans.map(\.index) == [0])
        #expect(try region.store.usage(of: device.owner).bytesUsed == Int64(mebibyte))
    }

    @Test func `a file may be huge where it has no bytes`() throws {
        let size = Limits.fileBytesMax
        let last = Int((size - 1) / Int64(mebibyte))
        let bytes = Int(size - Int64(last) * Int64(mebibyte))
        let outcome = try commit(
            .content(0),
            size: size,
            [Span(index: last, bytes: bytes, source: try chunk(bytes, 1))]
        )

        let content = try #require(outcome.content)
        #expect(try device.manifest(file, at: content).spans.map(\.index) == [last])
        #expect(try commit(.content(content), size: 0, []).isDone)
        #expect(try region.store.usage(of: device.owner).bytesUsed == 0)
    }

    @Test func `many spans live in pages that later commits share`() throws {
        let count = 3 * Limits.Files.manifestPageSpanCount
        let source = try chunk(mebibyte, 1)
        let roomy = try TestDevice(try TestRegion())
        _ = try roomy.region.content.put(
            [UInt8](repeating: 1, count: mebibyte),
            as: try #require(Span(index: 0, bytes: 1, source: source).digest),
            of: roomy.owner
        )
        let big = try roomy.make("big")
        func commit(_ base: Revision, _ spans: [Span]) throws -> Revision {
            let mutation = Mutation.Commit(
                node: big,
                base: .content(base),
                size: Int64(count * mebibyte),
                spans: spans,
                modified: moment,
                time: moment
            )
            return try #require(try roomy.run(.commit(mutation)).content)
        }

        let first = try commit(0, (0..<count).map { Span(index: $0, bytes: mebibyte, source: source) })
        let second = try commit(first, [Span(index: 70, bytes: mebibyte, source: .hole)])

        let pages = try roomy.region.store.read { db in
            try [first, second].map {
                try #require(try ManifestTable.load(StoredManifest.Key(node: big, content: $0), db)).pageNumbers
            }
        }
        #expect(pages[0].count == 3 && Set(pages[0]).intersection(pages[1]).count == 2)
        let manifest = try roomy.region.content.manifest(of: big, at: second, inPieces: false, for: roomy.owner)
        #expect(manifest.spans.map(\.index) == (0..<count).filter { $0 != 70 })
        #expect(try roomy.region.store.usage(of: roomy.owner).bytesUsed == Int64((count - 1) * mebibyte))
    }

    @Test func `the quota counts at the commit, and what shrinks is never refused`() throws {
        let source = try chunk(mebibyte, 1)
        let spans = (0..<11).map { Span(index: $0, bytes: mebibyte, source: source) }

        let tooMuch = try commit(.content(0), size: Int64(11 * mebibyte), spans)
        let enough = try commit(.content(0), size: Int64(10 * mebibyte), Array(spans.prefix(10)))
        let other = try device.make("other")
        let oneMore = try device.run(device.commit([1], to: other, base: .content(0)))
        let less = try commit(.content(try #require(enough.content)), size: Int64(9 * mebibyte), [])

        #expect(tooMuch.deniedCode == "quota_exceeded" && oneMore.deniedCode == "quota_exceeded")
        #expect(enough.isDone && less.isDone)
        #expect(try device.run(device.commit([1], to: other, base: .content(0))).isDone)
    }

    @Test func `only files have content`() throws {
        let folder = try device.make("folder", .folder)

        #expect(try commit(.content(0), size: 0, [], to: folder).conflict == .kind)
        #expect(try commit(.content(0), size: 0, [], to: .random(at: .zero)).conflict == .missing)
    }

    @Test func `a chunk that is not as long as its span is denied`() throws {
        let span = Span(index: 0, bytes: 5, source: try chunk(4, 1))

        #expect(try commit(.content(0), size: 5, [span]).deniedCode == "malformed")
    }

    @Test func `a stranger reads nothing of it`() throws {
        let content = try #require(try device.run(device.commit([1], to: file, base: .content(0))).content)
        let stranger = try TestDevice(region)

        for body in [
            { _ = try region.store.node(file, for: stranger.owner) },
            { _ = try region.store.children(of: device.root, after: nil, limit: 1, for: stranger.owner) },
            { _ = try region.content.manifest(of: file, at: content, inPieces: false, for: stranger.owner) },
            { _ = try region.content.read(0, of: file, at: content, for: stranger.owner) },
        ] as [() throws -> Void] {
            let error = #expect(throws: APIError.self) { try body() }
            #expect(error?.code == .notFound)
        }
        #expect(
            try stranger.run(device.commit([2], to: file, base: .content(content))) == .conflict(.missing, current: nil)
        )
    }
}
