import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Files told in pieces, against a file that is an array of bytes.
@Suite(.bothDatabases) struct PieceTests {
    let region: TestRegion
    let device: TestDevice
    private let span = Limits.spanBytes
    private let piece = Limits.pieceBytes

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    private func commit(_ spans: [Span], size: Int, to node: NodeID, base: Revision) throws -> OperationResult.Outcome {
        try device.run(
            .commit(
                Mutation.Commit(
                    node: node,
                    base: .content(base),
                    size: Int64(size),
                    spans: spans,
                    modified: moment,
                    time: moment
                )
            )
        )
    }

    private func whole(_ index: Int, _ bytes: [UInt8]) throws -> Span {
        let digest = SHA256.digest(of: bytes)
        _ = try region.content.put(bytes, as: digest, of: device.owner)
        return Span(index: index, bytes: bytes.count, source: .chunk(digest))
    }

    /// The listed pieces of a span of a file.
    private func split(_ index: Int, _ pieces: [Int], of file: [UInt8], isInline: Bool = false) throws -> Span {
        let bytes = min(span, file.count - index * span)
        let pieces = try pieces.map { number -> Piece in
            let start = index * span + number * piece
            let content = Array(file[start..<min(start + piece, file.count)])
            if isInline { return Piece(index: number, bytes: content.count, source: .inline(content)) }
            if content.allSatisfy({ $0 == 0 }) { return Piece(index: number, bytes: content.count, source: .hole) }
            let digest = SHA256.digest(of: content)
            _ = try region.content.put(content, as: digest, of: device.owner)
            return Piece(index: number, bytes: content.count, source: .chunk(digest))
        }
        return Span(index: index, bytes: bytes, source: .split(SplitSpan(pieces: pieces)))
    }

    private func expect(_ file: [UInt8], _ node: NodeID, at content: Revision, _ note: Comment? = nil) throws {
        let manifest = try region.content.manifest(of: node, at: content, inPieces: false, for: device.owner)
        let split = try region.content.manifest(of: node, at: content, inPieces: true, for: device.owner)
        #expect(manifest.spans.map(\.index) == split.spans.map(\.index), note)
        #expect(manifest.spans.map(\.bytes) == split.spans.map(\.bytes), note)
        for index in 0..<(file.count + span - 1) / span {
            let expected = Array(file[index * span..<min(file.count, (index + 1) * span)])
            var bytes = try device.bytes(node, at: content, span: index)
            #expect(bytes.count <= expected.count, note)
            if let told = manifest.spans.first(where: { $0.index == index }) {
                #expect(told.digest == SHA256.digest(of: bytes) && told.bytes == bytes.count, note)
            } else {
                #expect(bytes.isEmpty, note)
            }
            bytes += [UInt8](repeating: 0, count: expected.count - bytes.count)
            #expect(bytes == expected, note)
        }
    }

    @Test func `a changed piece lies over the chunk that was there, and the rest shows through`() throws {
        var random = SeededGenerator(for: "pieces over a chunk")
        var file = random.bytes(count: 2 * span)
        let node = try device.make("database")
        let first = try #require(
            try commit(
                [try whole(0, Array(file[..<span])), try whole(1, Array(file[span...]))],
                size: file.count,
                to: node,
                base: 0
            )
            .content
        )
        file.replaceSubrange(span + 5 * piece..<span + 5 * piece + 4_096, with: random.bytes(count: 4_096))

        let outcome = try commit([try split(1, [5], of: file)], size: file.count, to: node, base: first)

        let second = try #require(outcome.content)
        try expect(file, node, at: second)
        let manifest = try region.content.manifest(of: node, at: second, inPieces: true, for: device.owner)
        guard case .split(let told) = manifest.spans[1].source else { throw TestFailure("the span was not split") }
        #expect(told.over?.bytes == span && told.pieces.map(\.index) == [5])
        // Across the seam, and the earlier revision as it was.
        let range = 5 * piece - 10..<5 * piece + 10
        let bytes = try region.content.read(1, of: node, at: second, range: range, for: device.owner)
        #expect(bytes == Array(file[span + range.lowerBound..<span + range.upperBound]))
        #expect(try device.bytes(node, at: first, span: 1) != device.bytes(node, at: second, span: 1))
    }

    @Test func `any sequence of writes in pieces reads as an array of bytes does`() throws {
        var random = SeededGenerator(for: "pieces at random")
        for round in 0..<3 {
            let node = try device.make("file \(round)")
            var (file, content): ([UInt8], Revision) = ([], 0)
            for step in 0..<10 {
                var spans: [Span] = []
                let isShrinking = step % 5 == 4
                let size =
                    isShrinking
                    ? Int.random(in: 0...file.count, using: &random)
                    : max(file.count, Int.random(in: 1...3 * span, using: &random))
                let old = file.count
                file = Array(file.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - file.count))
                for index in 0..<(size + span - 1) / span {
                    let count = min(span, size - index * span)
                    let last = (count - 1) / piece
                    let isCut = isShrinking && size < old && index == (size - 1) / span && size % span != 0
                    guard isCut || Bool.random(using: &random) else { continue }
                    let pieces = Set((0...3).map { _ in Int.random(in: 0...last, using: &random) }).sorted()
                    for number in pieces {
                        let start = index * span + number * piece
                        let end = min(start + piece, size)
                        let isZero = Int.random(in: 0..<4, using: &random) == 0
                        file.replaceSubrange(
                            start..<end,
                            with: isZero ? [UInt8](repeating: 0, count: end - start) : random.bytes(count: end - start)
                        )
                    }
                    if isCut || Int.random(in: 0..<5, using: &random) == 0 {
                        spans.append(try whole(index, Array(file[index * span..<index * span + count])))
                    } else {
                        spans.append(try split(index, pieces, of: file, isInline: index == 0))
                    }
                }
                let outcome = try commit(spans, size: size, to: node, base: content)
                content = try #require(outcome.content, "round \(round) step \(step): \(outcome)")
                try expect(file, node, at: content, "round \(round) step \(step)")
            }
        }
        // Everything that was replaced goes, and what is shown stays.
        let files = try device.children(device.root).map(\.node)
        let before = try files.map { try device.bytes($0.id, at: $0.content) }
        for _ in 0..<3 {
            region.clock.advance(by: .seconds(4_000))
            try region.collector().collect()
            try region.packer.pack(olderThan: .zero)
        }
        #expect(try files.map { try device.bytes($0.id, at: $0.content) } == before)
        let usage = try region.store.usage(of: device.owner)
        let told = try files.map {
            try region.store.spans(of: $0.id, at: $0.content, for: device.owner).spans.reduce(0) { $0 + $1.bytes }
        }
        #expect(usage.bytesUsed == Int64(told.reduce(0, +)))
    }

    @Test func `a span that the file's new end cuts is listed whole or refused`() throws {
        var random = SeededGenerator(for: "pieces cut")
        let file = random.bytes(count: span)
        let node = try device.make("a")
        let first = try #require(try commit([try whole(0, file)], size: span, to: node, base: 0).content)
        let short = Array(file.prefix(3 * piece + 7))

        let refused = try commit([try split(0, [3], of: short)], size: short.count, to: node, base: first)
        #expect(refused.deniedCode == "malformed")
        let done = try commit([try whole(0, short)], size: short.count, to: node, base: first)
        try expect(short, node, at: try #require(done.content))
    }

    @Test func `a piece whose chunk is not stored is asked for`() throws {
        let node = try device.make("a")
        let bytes = [UInt8](repeating: 5, count: piece)
        let digest = SHA256.digest(of: bytes)
        let pieces = [Piece(index: 1, bytes: piece, source: .chunk(digest))]
        let spans = [Span(index: 0, bytes: span, source: .split(SplitSpan(pieces: pieces)))]

        #expect(try commit(spans, size: span, to: node, base: 0) == .incomplete(missing: [digest]))
        _ = try region.content.put(bytes, as: digest, of: device.owner)
        #expect(try commit(spans, size: span, to: node, base: 0).isDone)
    }

    @Test func `pieces that replace all of a chunk leave nothing of it`() throws {
        var random = SeededGenerator(for: "all pieces")
        let node = try device.make("a")
        let old = random.bytes(count: 3 * piece)
        let first = try #require(try commit([try whole(0, old)], size: old.count, to: node, base: 0).content)
        let new = random.bytes(count: 3 * piece)

        let second = try commit([try split(0, [0, 1, 2], of: new)], size: new.count, to: node, base: first)

        let content = try #require(second.content)
        let manifest = try region.content.manifest(of: node, at: content, inPieces: true, for: device.owner)
        guard case .split(let told) = manifest.spans[0].source else { throw TestFailure("the span was not split") }
        #expect(told.over == nil && told.pieces.count == 3)
        try expect(new, node, at: content)
    }
}
