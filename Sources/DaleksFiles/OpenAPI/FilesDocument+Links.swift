import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService

/// Links, signed URLs, public items: what is made by who may share, and read by anybody who was told.
extension FilesDocument {
    static let links = [
        ask(
            .post,
            Routes.Files.nodeLinksPattern,
            "makeLink",
            Tag.links,
            Access.writer,
            "Make a link",
            body: .json(
                .object(
                    ["kind": FilesSchemas.linkKind],
                    optional: [
                        "password": Schema.text(1...64).orNull, "expires": Schema.time.orNull,
                        "downloads_max": Schema.integer(1...1_000_000_000).orNull,
                    ]
                )
            ),
            answers: [.json(201, .named("Link"), "the link, with its URL")],
            problems: [404, 422, 503]
        ),
        ask(
            .get,
            Routes.Files.nodeLinksPattern,
            "linksOfNode",
            Tag.links,
            Access.reader,
            "The links to it, whoever made them",
            answers: [.json(200, .object(["links": .list(.named("Link"))]), "the links")],
            problems: [404]
        ),
        ask(
            .get,
            Routes.Files.links,
            "links",
            Tag.links,
            Access.reader,
            "The links that the caller made",
            answers: [.json(200, .object(["links": .list(.named("Link"))]), "the links")]
        ),
        ask(
            .get,
            Routes.Files.linkPattern,
            "link",
            Tag.links,
            Access.reader,
            "A link, and who used it of late",
            answers: [
                .json(
                    200,
                    .object([
                        "link": .named("Link"),
                        "uses": .list(
                            .object(["time": .time, "address": .text()], optional: ["agent": .text()]),
                            countMax: Limits.Files.linkUsesKept
                        ),
                    ]),
                    "it"
                )
            ],
            problems: [404]
        ),
        ask(
            .delete,
            Routes.Files.linkPattern,
            "revokeLink",
            Tag.links,
            Access.writer,
            "Take a link back",
            answers: [.empty(204, "it leads nowhere any more")],
            problems: [404]
        ),
        ask(
            .post,
            Routes.Files.signedURLsPattern,
            "signURL",
            Tag.links,
            Access.writer,
            "Make a URL that reads one content of a file for a while",
            body: .json(
                .object(
                    ["expires_in": .integer(1...Limits.Wire.signedSecondsMax)],
                    optional: ["content": FilesSchemas.revision.orNull]
                )
            ),
            answers: [.json(201, .object(["url": .text(), "expires": .time]), "the URL")],
            problems: [404, 422]
        ),
    ]

    private static let ticket = Parameter.query("ticket", .text(1...256), "what giving the password was answered with")

    static let visits = [
        ask(
            .get,
            Routes.Files.publicPattern,
            "publicItem",
            Tag.links,
            nil,
            "The bytes of a public file, or the entries of a public folder",
            parameters: reading + page("entries", after: FilesSchemas.name64),
            answers: bytesAnswers,
            problems: [404, 416, 422]
        ),
        ask(
            .get,
            Routes.Files.publicPathPattern,
            "publicPath",
            Tag.links,
            nil,
            "The same of what is in a public folder",
            parameters: reading + page("entries", after: FilesSchemas.name64),
            answers: bytesAnswers,
            problems: [404, 416, 422]
        ),
        ask(
            .get,
            Routes.Files.signedPattern,
            "signedContent",
            Tag.links,
            nil,
            "The bytes that a signed URL is for",
            parameters: reading,
            answers: bytesAnswers,
            problems: [403, 404, 416]
        ),
        ask(
            .get,
            Routes.Files.visitPattern,
            "visitLink",
            Tag.links,
            nil,
            "What a link leads to; with a password, only that it has one",
            answers: [
                .json(
                    200,
                    .object(
                        ["link": FilesSchemas.linkKind, "needs_password": .bool],
                        optional: [
                            "name": .text(), "kind": FilesSchemas.kind, "size": .integer(), "expires": .time,
                        ]
                    ),
                    "it"
                )
            ],
            problems: [404, 410]
        ),
        ask(
            .post,
            Routes.Files.visitOpenPattern,
            "openLink",
            Tag.links,
            nil,
            "Give a link's password",
            body: .json(.object(["password": .text(1...64)])),
            answers: [.json(200, .object(["ticket": .text()]), "good for an hour as `ticket`")],
            problems: [403, 404, 410, 429, 503]
        ),
        ask(
            .get,
            Routes.Files.visitContentPattern,
            "linkContent",
            Tag.links,
            nil,
            "The bytes of the file, or the entries of the folder, that a link leads to",
            parameters: [ticket] + reading + page("entries", after: FilesSchemas.name64),
            answers: bytesAnswers,
            problems: [401, 403, 404, 410, 416, 422]
        ),
        ask(
            .get,
            Routes.Files.visitPathPattern,
            "linkPath",
            Tag.links,
            nil,
            "The same of what is in that folder",
            parameters: [ticket] + reading + page("entries", after: FilesSchemas.name64),
            answers: bytesAnswers,
            problems: [401, 403, 404, 410, 416, 422]
        ),
        ask(
            .get,
            Routes.Files.visitZipPattern,
            "linkZip",
            Tag.links,
            nil,
            "The folder that a link of kind `download` leads to, as an archive",
            parameters: [ticket],
            answers: [.typed(200, "application/zip", .bytes, "the archive")],
            problems: [401, 403, 404, 410, 422]
        ),
    ]
}
