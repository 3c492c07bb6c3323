import DaleksCore

@testable import DaleksAPI

extension Golden {
    private typealias T = Things

    static let content: [Golden] = [
        Golden(
            Manifest(
                size: 2 << 20,
                spans: [
                    Span(index: 0, bytes: 1 << 20, source: .chunk(T.digest(0xab))),
                    Span(index: 1, bytes: 1 << 20, source: .split(split)),
                ]
            ),
            """
            {"size":2097152,"spans":[{"index":0,"bytes":1048576,"digest":"\(T.digestText)"},
            {"index":1,"bytes":1048576,"over":{"digest":"\(T.digestText)","bytes":1000000},
            "pieces":[{"index":3,"bytes":65536,"digest":"\(T.otherDigestText)"},{"index":4,"bytes":65536},
            {"index":15,"bytes":2,"inline":"AQI"}]}]}
            """,
            optional: [
                "spans.digest", "spans.over", "spans.pieces", "spans.pieces.digest", "spans.pieces.inline",
            ]
        ),
        Golden(
            Piece(index: 2, bytes: 9, source: .chunk(T.digest(0xab))),
            #"{"index":2,"bytes":9,"digest":"\#(T.digestText)"}"#,
            optional: ["digest"]
        ),
        Golden(
            DigestList([T.digest(0xab), T.digest(0xcd)], node: T.file),
            #"{"digests":["\#(T.digestText)","\#(T.otherDigestText)"],"node":"\#(T.fileText)"}"#,
            optional: ["node"]
        ),
        Golden(MissingAnswer([T.digest(0xcd)]), #"{"missing":["\#(T.otherDigestText)"]}"#),
        Golden(
            ContentReads([
                ContentReads.Read(node: T.file, content: 11, index: 2),
                ContentReads.Read(node: T.other, content: 12, index: 0, range: 100..<300),
            ]),
            """
            {"reads":[{"node":"\(T.fileText)","content":11,"index":2},
            {"node":"\(T.otherText)","content":12,"index":0,"from":100,"bytes":200}]}
            """,
            optional: ["reads.from", "reads.bytes"]
        ),
        Golden(
            ContentReads([ContentReads.Read(node: T.file, content: 11, index: 2)], wantsDigests: true),
            #"{"reads":[{"node":"\#(T.fileText)","content":11,"index":2}],"digests":true}"#,
            optional: ["digests"]
        ),
    ]

    private static let split = SplitSpan(
        over: SplitSpan.Base(digest: T.digest(0xab), bytes: 1_000_000),
        pieces: [
            Piece(index: 3, bytes: 65_536, source: .chunk(T.digest(0xcd))),
            Piece(index: 4, bytes: 65_536, source: .hole), Piece(index: 15, bytes: 2, source: .inline([1, 2])),
        ]
    )
}
