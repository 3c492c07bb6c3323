import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService

/// Files and folders by id and by path.
extension FilesDocument {
    typealias Parameter = APIOperation.Parameter

    static let conditions: [Parameter] = [
        .header("If-Match", .text(example: "\"42\""), "only where the content is this"),
        .header("If-None-Match", .text(example: "*"), "`*`: only where there is nothing yet"),
    ]

    static let reading: [Parameter] = [
        .query("inline", .bool, "shown in place rather than saved; granted to what runs nothing"),
        .header("Range", .text(example: "bytes=0-99"), "parts of it (RFC 9110)"),
        .header("If-None-Match", .text(example: "\"42\""), "only where it is another by now"),
    ]

    /// What is sent has the type of the file's name, whatever that is.
    static let bytesAnswers: [APIOperation.Answer] = [
        .typed(200, "*/*", .any, "the bytes"), .typed(206, "*/*", .any, "those asked for"),
        .empty(304, "it is still the same"),
    ]

    static let raw = APIOperation.Body.typed("application/octet-stream", .bytes)
    private static let written: [APIOperation.Answer] = [
        .json(200, .named("Node"), "the file, with new content"), .json(201, .named("Node"), "a new file"),
    ]

    /// Any field that is a file becomes one; browsers send several under one name.
    private static let form = APIOperation.Body.typed(
        "multipart/form-data",
        .object(["file": .list(.bytes)]).described("each part with a file name becomes a file of that name")
    )
    private static let formAnswers: [APIOperation.Answer] = [200, 201].map {
        .json(
            $0,
            .object(["files": .list(FilesSchemas.named(["node": .named("Node")]))]),
            $0 == 200 ? "all of them were there, and have new content" : "some are new"
        )
    }

    static let items = [
        ask(
            .get,
            Routes.Files.nodePattern,
            "node",
            Tag.items,
            Access.reader,
            "What a file or folder is",
            answers: [.json(200, .named("Node"), "it")],
            problems: [404]
        ),
        ask(
            .patch,
            Routes.Files.nodePattern,
            "changeNode",
            Tag.items,
            Access.writer,
            "Rename, move or change it",
            parameters: conditions,
            body: .json(
                .object(optional: [
                    "name": FilesSchemas.name.orNull, "name64": FilesSchemas.name64.orNull,
                    "to_parent": Schema.id.orNull, "mode": FilesSchemas.mode.orNull, "mtime": Schema.time.orNull,
                ])
            ),
            answers: [.json(200, .named("Node"), "it, as it is now")],
            problems: [404, 409, 412, 422]
        ),
        ask(
            .delete,
            Routes.Files.nodePattern,
            "removeNode",
            Tag.items,
            Access.writer,
            "Put it into the trash, with all that is in it",
            parameters: conditions,
            answers: [.empty(204, "it is there")],
            problems: [404, 409, 412, 422]
        ),
        ask(
            .get,
            Routes.Files.contentPattern,
            "content",
            Tag.items,
            Access.reader,
            "A file's bytes",
            parameters: reading,
            answers: bytesAnswers,
            problems: [404, 416, 422]
        ),
        ask(
            .put,
            Routes.Files.contentPattern,
            "putContent",
            Tag.items,
            Access.writer,
            "Give a file other bytes; what it had becomes a version",
            parameters: conditions,
            body: raw,
            answers: written,
            problems: [404, 409, 412, 422, 507]
        ),
        ask(
            .post,
            Routes.Files.childrenPattern,
            "makeChild",
            Tag.items,
            Access.writer,
            "Make a folder or an empty file, shared from its first moment on if need be",
            body: .json(
                FilesSchemas.named(
                    ["kind": .one(of: ["folder", "file"])],
                    optional: [
                        "visibility": Schema.one(of: ["private", "public"]).orNull,
                        "grants": Schema.list(
                            .object(
                                ["user": .id, "rights": FilesSchemas.someRights],
                                optional: ["expires": Schema.time.orNull]
                            ),
                            countMax: Limits.Wire.newGrantCountMax
                        ).orNull,
                    ]
                )
            ),
            answers: [.json(201, .named("Node"), "it")],
            problems: [404, 409, 422]
        ),
        ask(
            .post,
            Routes.Files.nodeFilesPattern,
            "putForm",
            Tag.items,
            Access.writer,
            "Write the files of a form into the folder, each as PUT would; one that is refused leaves those before it",
            body: form,
            answers: formAnswers,
            problems: [404, 409, 422, 507]
        ),
        ask(
            .post,
            Routes.Files.copyPattern,
            "copyNode",
            Tag.items,
            Access.writer,
            "Copy it, with all that is in it; no byte is moved within an owner's tree",
            body: .json(FilesSchemas.named(["to_parent": .id])),
            answers: [.json(201, .named("Node"), "the copy")],
            problems: [404, 409, 422, 507]
        ),
        ask(
            .get,
            Routes.Files.zipPattern,
            "zipFolder",
            Tag.items,
            Access.reader,
            "A folder as an archive",
            answers: [.typed(200, "application/zip", .bytes, "the archive")],
            problems: [404, 422]
        ),
        ask(
            .get,
            Routes.Files.nodePathPattern,
            "pathOfNode",
            Tag.items,
            Access.reader,
            "Where it is, from what is the caller's",
            answers: [.json(200, .object(["path": .text()]), "its path")],
            problems: [404]
        ),
    ]

    static let paths = [
        ask(
            .get,
            Routes.Files.pathPattern,
            "getPath",
            Tag.items,
            Access.reader,
            "The bytes of a file, or the entries of a folder",
            parameters: reading + page("entries", after: FilesSchemas.name64),
            answers: bytesAnswers,
            problems: [404, 416, 422]
        ),
        ask(
            .put,
            Routes.Files.pathPattern,
            "putPath",
            Tag.items,
            Access.writer,
            "Write a file; the folders on the way must be there",
            parameters: conditions,
            body: raw,
            answers: written,
            problems: [404, 409, 412, 422, 507]
        ),
        ask(
            .post,
            Routes.Files.pathPattern,
            "putFormAtPath",
            Tag.items,
            Access.writer,
            "Write the files of a form into the folder there",
            body: form,
            answers: formAnswers,
            problems: [404, 409, 422, 507]
        ),
        ask(
            .delete,
            Routes.Files.pathPattern,
            "removePath",
            Tag.items,
            Access.writer,
            "Put what is there into the trash",
            parameters: conditions,
            answers: [.empty(204, "it is there")],
            problems: [404, 409, 412, 422]
        ),
        ask(
            .get,
            Routes.Files.itemPattern,
            "nodeAtPath",
            Tag.items,
            Access.reader,
            "What is there",
            answers: [.json(200, .named("Node"), "it")],
            problems: [404]
        ),
        ask(
            .post,
            Routes.Files.itemPattern,
            "runAtPath",
            Tag.items,
            Access.writer,
            "Make a folder there, or move or copy what is there",
            body: .json(
                .exactlyOne(of: [
                    .object(["op": .constant("mkdir")]),
                    .object(["op": .one(of: ["move", "copy"]), "to": FilesSchemas.path]),
                ])
            ),
            answers: [.json(200, .named("Node"), "moved"), .json(201, .named("Node"), "made")],
            problems: [404, 409, 412, 422, 507]
        ),
    ]

    static let lookups = [
        ask(
            .get,
            Routes.Files.search,
            "search",
            Tag.items,
            Access.reader,
            "Names of the caller's tree that hold a text, whatever its case",
            parameters: [.query("q", .text(), "the text", isRequired: true)]
                + page("items", after: .text(1...1_000)),
            answers: [
                .json(
                    200,
                    .object(
                        ["items": .list(FilesSchemas.named(["node": .named("Node"), "path": .text()]))],
                        optional: ["next": .text()]
                    ),
                    "what was found; with `next` there is more to look at"
                )
            ],
            problems: [422]
        ),
        ask(
            .get,
            Routes.Files.audit,
            "audit",
            Tag.items,
            Access.reader,
            "What happened to who may see what of the caller's tree, the latest first",
            parameters: page("events", after: .integer(1...Int64.max)),
            answers: [
                .json(
                    200,
                    .object(
                        [
                            "events": .list(
                                .object(
                                    ["number": .integer(), "time": .time, "act": .text()],
                                    optional: ["node": .id, "by": .id, "who": .id, "detail": .text()]
                                )
                            )
                        ],
                        optional: ["next": .integer()]
                    ),
                    "the events"
                )
            ]
        ),
        ask(
            .get,
            Routes.Files.usage,
            "usage",
            Tag.items,
            Access.reader,
            "How much of the caller's quota is used",
            answers: [
                .json(
                    200,
                    .object([
                        "bytes_used": .integer(), "bytes_quota": .integer(), "files_used": .integer(),
                        "versions_bytes": .integer(), "trash_bytes": .integer(),
                    ]),
                    "it"
                )
            ]
        ),
    ]
}
