import DaleksAPI
import DaleksCore
import DaleksJSON
import Testing

/// The spellings of pieces and of bodies with many chunks, as docs/wire.md fixes them.
struct PieceTests {
    private let digest: Digest

    init() throws { digest = try #require(Digest(bytes: [UInt8](repeating: 0xab, count: 32))) }

    private var hex: String { String(repeating: "ab", count: 32) }

    private func commit(_ spans: String, size: Int) throws -> Mutation.Commit {
        let text = """
            {"sequence":1,"op":"commit","node":"\(String(repeating: "0", count: 31))1","base":{"content":1},\
            "size":\(size),"spans":\(spans),"mtime":1,"time":1}
            """
        let operation = try Operation(json: try JSONValue.parse(Array(text.utf8)))
        guard case .commit(let commit) = operation.mutation else { throw JSONError(message: "no commit", path: "") }
        #expect(try Operation(json: try JSONValue.parse(operation.jsonBytes)) == operation)
        return commit
    }

    @Test func `a commit lists the pieces that changed`() throws {
        let commit = try commit(
            """
            [{"index":2,"bytes":1048576,"pieces":\
            [{"index":0,"bytes":65536,"digest":"\(hex)"},{"index":15,"bytes":65536}]}]
            """,
            size: 3 << 20
        )

        let pieces = [
            Piece(index: 0, bytes: 65_536, source: .chunk(digest)), Piece(index: 15, bytes: 65_536, source: .hole),
        ]
        #expect(commit.spans == [Span(index: 2, bytes: 1 << 20, source: .split(SplitSpan(pieces: pieces)))])
    }

    @Test(arguments: [
        // Out of order, past the end of the file, not as long as it must be, over something.
        (#"[{"index":0,"bytes":200000,"pieces":[{"index":1,"bytes":65536},{"index":0,"bytes":65536}]}]"#, 200_000),
        (#"[{"index":0,"bytes":65536,"pieces":[{"index":1,"bytes":65536}]}]"#, 65_536),
        (#"[{"index":0,"bytes":65537,"pieces":[{"index":1,"bytes":2}]}]"#, 65_537),
        (#"[{"index":0,"bytes":65536,"pieces":[]}]"#, 65_536),
        (
            """
            [{"index":0,"bytes":9,"over":{"digest":"\(String(repeating: "ab", count: 32))","bytes":9},\
            "pieces":[{"index":0,"bytes":9}]}]
            """,
            9
        ),
    ])
    func `a commit with pieces that do not fit is refused`(spans: String, size: Int) {
        #expect(throws: JSONError.self) { try commit(spans, size: size) }
    }

    @Test func `a manifest in pieces reads back as it was written`() throws {
        let split = SplitSpan(
            over: SplitSpan.Base(digest: digest, bytes: 1_000_000),
            pieces: [
                Piece(index: 3, bytes: 65_536, source: .chunk(digest)), Piece(index: 4, bytes: 65_536, source: .hole),
            ]
        )
        let manifest = Manifest(
            size: 2 << 20,
            spans: [
                Span(index: 0, bytes: 1_000_000, source: .split(split)),
                Span(index: 1, bytes: 5, source: .chunk(digest)),
            ]
        )

        let text = String(decoding: manifest.jsonBytes, as: UTF8.self)
        #expect(
            text == """
                {"size":2097152,"spans":[{"index":0,"bytes":1000000,"over":{"digest":"\(hex)","bytes":1000000},\
                "pieces":[{"index":3,"bytes":65536,"digest":"\(hex)"},{"index":4,"bytes":65536}]},\
                {"index":1,"bytes":5,"digest":"\(hex)"}]}
                """
        )
        #expect(try Manifest(json: try JSONValue.parse(manifest.jsonBytes)) == manifest)
    }

    @Test func `many chunks in one body read back, and a body that is cut anywhere does not`() {
        let batch = ChunkBatch([
            ChunkBatch.Member(digest: digest, content: [1, 2, 3]), ChunkBatch.Member(digest: digest, content: [4]),
        ])

        let bytes = batch.bytes
        #expect(bytes == digest.bytes + [0, 0, 0, 3, 1, 2, 3] + digest.bytes + [0, 0, 0, 1, 4])
        #expect(ChunkBatch(bytes: bytes) == batch)
        for count in 1..<bytes.count where count != 39 { #expect(ChunkBatch(bytes: Array(bytes.prefix(count))) == nil) }
        #expect(ChunkBatch(bytes: digest.bytes + [0, 0, 0, 0]) == nil)
        #expect(ChunkBatch(bytes: digest.bytes + [0, 0x10, 0, 1] + [UInt8](repeating: 0, count: (1 << 20) + 1)) == nil)
    }

    @Test func `batched reads and their answers read back`() throws {
        let node = NodeID(high: 1, low: 2)
        let reads = ContentReads([
            ContentReads.Read(node: node, content: 7, index: 3),
            ContentReads.Read(node: node, content: 7, index: 4, range: 65_536..<131_072),
        ])
        #expect(
            String(decoding: reads.jsonBytes, as: UTF8.self) == """
                {"reads":[{"node":"\(node)","content":7,"index":3},\
                {"node":"\(node)","content":7,"index":4,"from":65536,"bytes":65536}]}
                """
        )
        #expect(try ContentReads(json: try JSONValue.parse(reads.jsonBytes)) == reads)

        let answers = ContentAnswers([.bytes([9, 8]), .bytes([]), .problem(Array("{}".utf8)), .later])
        #expect(answers.bytes == [0, 0, 0, 0, 2, 9, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x7b, 0x7d, 2, 0, 0, 0, 0])
        #expect(ContentAnswers(bytes: answers.bytes) == answers)
        #expect(ContentAnswers(bytes: [0, 0, 0, 0, 2, 9]) == nil)

        let digest = try #require(Digest(bytes: [UInt8](repeating: 7, count: Digest.byteCount)))
        let whole = ContentAnswers([.whole(digest, [9]), .whole(digest, [])])
        #expect(whole.bytes == [3, 0, 0, 0, 33] + digest.bytes + [9, 3, 0, 0, 0, 32] + digest.bytes)
        #expect(ContentAnswers(bytes: whole.bytes) == whole)
        #expect(ContentAnswers(bytes: [3, 0, 0, 0, 2, 9, 9]) == nil)
    }

    @Test func `a region that names no features has none`() throws {
        let region = Capabilities(region: "eu", features: [.pieces, .chunkBatches])
        #expect(try Capabilities(json: try JSONValue.parse(region.jsonBytes)) == region)

        let old = """
            {"protocol":1,"region":"eu","operations":["create"],"limits":\
            {"batch_operations":1000,"batch_bytes":8388608,"children_page":4096,\
            "chunk_bytes":1048576,"inline_bytes":65536}}
            """
        let capabilities = try Capabilities(json: try JSONValue.parse(Array(old.utf8)))
        #expect(capabilities.features.isEmpty && capabilities.chunkBatchBytesMax == 0)
    }
}
