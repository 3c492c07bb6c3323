import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService

/// What a mount asks.
extension FilesDocument {
    private static let place = Parameter.query("node", .id, "where they are to be used, if in somebody else's tree")

    static let sync = [
        ask(
            .get,
            Routes.Files.tree,
            "tree",
            Tag.sync,
            Access.reader,
            "The caller's tree, made at first use",
            answers: [
                .json(
                    200,
                    .object(["root": .id, "epoch": .integer(), "cursor": FilesSchemas.cursor]),
                    "its root, and where its feed is"
                )
            ]
        ),
        ask(
            .get,
            Routes.Files.childrenPattern,
            "children",
            Tag.sync,
            Access.reader,
            "A folder's entries, in the order of their names' bytes",
            parameters: page("entries", after: FilesSchemas.name64),
            answers: [.json(200, .named("Entries"), "a page")],
            problems: [404, 422]
        ),
        ask(
            .post,
            Routes.Files.mutations,
            "mutate",
            Tag.sync,
            Access.writer,
            "Run a device's operations, in order, each once",
            body: .json(
                .object([
                    "device": .id, "acknowledged": .integer(0...Int64.max),
                    "operations": Schema([
                        "type": "array", "items": .object(operation.json), "minItems": 1,
                        "maxItems": .integer(Int64(Limits.Wire.batchOperationCountMax)),
                    ]),
                ])
            ),
            answers: [
                .json(200, .object(["results": .list(result), "cursor": FilesSchemas.cursor]), "an answer to each")
            ],
            problems: [409]
        ),
        ask(
            .post,
            Routes.Files.missingChunks,
            "missingChunks",
            Tag.sync,
            Access.writer,
            "Which chunks have to be put before a commit may name them",
            body: .json(
                .object(
                    ["digests": Schema.list(FilesSchemas.digest).described("4,096 at most")],
                    optional: ["node": Schema.id.orNull]
                )
            ),
            answers: [.json(200, .object(["missing": .list(FilesSchemas.digest)]), "these")],
            problems: [404]
        ),
        ask(
            .put,
            Routes.Files.chunkPattern,
            "putChunk",
            Tag.sync,
            Access.writer,
            "Store a chunk of at most a megabyte",
            parameters: [place],
            body: raw,
            answers: [.empty(200, "it was there"), .empty(201, "it is stored")],
            problems: [404, 422, 503, 507]
        ),
        ask(
            .put,
            Routes.Files.chunks,
            "putChunks",
            Tag.sync,
            Access.writer,
            "Store many: each as digest (32 bytes), length (4, big-endian) and bytes",
            parameters: [place],
            body: .typed("application/vnd.daleks.chunks", .bytes),
            answers: [
                .json(200, .object(["stored": .integer(), "known": .integer()]), "all of them are durable")
            ],
            problems: [404, 422, 503, 507]
        ),
        ask(
            .post,
            Routes.Files.content,
            "readMany",
            Tag.sync,
            Access.reader,
            "Read stretches of many files at once",
            body: .json(
                .object(
                    ["reads": .list(read, countMax: Limits.Wire.chunkBatchCountMax)],
                    optional: ["digests": .bool]
                )
            ),
            answers: [
                .typed(
                    200,
                    ContentAnswers.contentType,
                    .bytes,
                    "for each a byte (0 bytes, 1 problem, 2 ask again, 3 digest and all bytes), a length, and so much"
                )
            ]
        ),
        ask(
            .get,
            Routes.Files.manifestPattern,
            "manifest",
            Tag.sync,
            Access.reader,
            "Of what chunks a content consists",
            parameters: [.query("pieces", .constant("1"), "spans may be told in pieces")],
            answers: [
                .json(200, .object(["size": FilesSchemas.revision, "spans": .list(.named("Span"))]), "the manifest")
            ],
            problems: [404, 422]
        ),
        ask(
            .get,
            Routes.Files.spanPattern,
            "span",
            Tag.sync,
            Access.reader,
            "The bytes of a span",
            parameters: [.header("Range", .text(example: "bytes=0-99"), "parts of it")],
            answers: [
                .typed(200, "application/octet-stream", .bytes, "all of it"),
                .typed(206, "application/octet-stream", .bytes, "those asked for"),
            ],
            problems: [404, 416, 422, 503]
        ),
        ask(
            .get,
            Routes.Files.changes,
            "changes",
            Tag.sync,
            Access.reader,
            "What happened in a tree since; with `Accept: text/event-stream`, as events without end",
            parameters: [
                .query("after", FilesSchemas.cursor, "what one has", isRequired: true),
                .query("owner", .id, "whose tree, if not the caller's"),
                .query("wait", .integer(0...Int64.max), "seconds to wait for something, 60 at most"),
                .query("device", .id, "which of the caller's devices asks: it is told in short what it did itself"),
            ],
            answers: [
                .json(200, .named("Changes"), "what came, and where to go on"),
                .content(200, "text/event-stream", "each page as an event, its id the cursor"),
            ],
            problems: [404, 410, 503]
        ),
        ask(
            .post,
            Routes.Files.changes,
            "follow",
            Tag.sync,
            Access.reader,
            "The same of several trees",
            body: .json(
                .object(
                    [
                        "follow": Schema([
                            "type": "array", "minItems": 1,
                            "maxItems": .integer(Int64(Limits.Wire.followedTreeCountMax)),
                            "items": .object(Schema.object(["owner": .id, "after": FilesSchemas.cursor]).json),
                        ])
                    ],
                    optional: ["wait": Schema.integer(0...Int64.max).orNull]
                )
            ),
            answers: [
                .json(
                    200,
                    .object([
                        "pages": .list(
                            .object(
                                ["owner": .id],
                                optional: [
                                    "changes": .list(.named("Change")), "cursor": FilesSchemas.cursor,
                                    "error": .one(of: ["cursor_expired", "not_found"]),
                                ]
                            )
                        )
                    ]),
                    "those that have something"
                )
            ],
            problems: [503]
        ),
    ]

    private static let read = Schema.object(
        ["node": .id, "content": FilesSchemas.revision, "index": .integer(0...Int64(1) << 43)],
        optional: ["from": Schema.integer(0...1_048_576).orNull, "bytes": Schema.integer(1...1_048_576).orNull]
    )

    /// What each needs besides is in docs/wire.md.
    private static let operation = Schema.object([
        "sequence": .integer(1...Int64.max), "op": Schema.text().described(Mutation.words.joined(separator: ", ")),
    ])

    private static let result = Schema.object(
        [
            "sequence": .integer(),
            "status": .one(of: ["done", "known", "conflict", "denied", "incomplete", "waiting"]),
        ],
        optional: [
            "rev": FilesSchemas.revision, "content": FilesSchemas.revision, "code": .text(), "detail": .text(),
            "node": .named("Node"), "missing": .list(FilesSchemas.digest),
        ]
    )
}
