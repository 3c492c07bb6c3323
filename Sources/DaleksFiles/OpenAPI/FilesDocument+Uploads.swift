import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService

/// Resumable uploads, as tus 1.0 has them.
extension FilesDocument {
    private static let version = Parameter.header(
        "Tus-Resumable",
        .constant("1.0.0"),
        "the protocol's version",
        isRequired: true
    )
    private static let number = Schema.integer(0...Int64.max)
    private static let checksum = Parameter.header(
        "Upload-Checksum",
        .text(example: "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        "sha1 or sha256 of the body, in base64"
    )
    private static let bytes = APIOperation.Body.typed("application/offset+octet-stream", .bytes, isRequired: false)
    /// 460 where the bytes are not those of the checksum.
    private static let refusals = [403, 404, 409, 410, 412, 422, 460, 507]

    static let uploads = [
        options(Routes.Files.uploads, "uploadOptions"),
        ask(
            .post,
            Routes.Files.uploads,
            "beginUpload",
            Tag.uploads,
            Access.writer,
            "Begin an upload, with its first bytes if need be, or join parts",
            parameters: [
                version, .header("Upload-Length", number, "how long it will be"),
                .header("Upload-Defer-Length", .constant("1"), "that this is told later"),
                .header(
                    "Upload-Metadata",
                    .text(0...4_000, pattern: "^[!-~ ]*$"),
                    "`filename` and `parent` for a new file, or `node` and `base`; values in base64"
                ),
                .header(
                    "Upload-Concat",
                    .text(pattern: "^(partial|final;.*)$"),
                    "a part, or of what parts it consists"
                ),
                checksum,
            ],
            body: bytes,
            answers: [.empty(201, "it is at Location")],
            problems: refusals
        ),
        options(Routes.Files.uploadPattern, "uploadOptionsOfOne"),
        ask(
            .head,
            Routes.Files.uploadPattern,
            "upload",
            Tag.uploads,
            Access.reader,
            "How far it has come",
            parameters: [version],
            answers: [.empty(200, "Upload-Offset says it")],
            problems: [404, 410, 412]
        ),
        ask(
            .patch,
            Routes.Files.uploadPattern,
            "continueUpload",
            Tag.uploads,
            Access.writer,
            "Send what comes next",
            parameters: [
                version, .header("Upload-Offset", number, "where it goes on", isRequired: true),
                .header("Upload-Length", number, "where that was not told yet"), checksum,
            ],
            body: .typed("application/offset+octet-stream", .bytes),
            answers: [.empty(204, "it came; with Daleks-Node it was the last, and this is the file")],
            problems: refusals
        ),
        ask(
            .delete,
            Routes.Files.uploadPattern,
            "cancelUpload",
            Tag.uploads,
            Access.writer,
            "Give it up",
            parameters: [version],
            answers: [.empty(204, "what came of it is forgotten")],
            problems: [404, 410, 412]
        ),
    ]

    private static func options(_ pattern: String, _ name: String) -> APIOperation {
        ask(
            .options,
            pattern,
            name,
            Tag.uploads,
            nil,
            "What of tus is understood here",
            answers: [.empty(204, "its fields say it")]
        ).anyID
    }
}

extension APIOperation {
    /// What is asked of all uploads alike is answered for whatever stands in the place of one.
    fileprivate var anyID: APIOperation {
        var copy = self
        copy.parameters = path.contains("{id}") ? [.path("id", .text(), "any upload")] : []
        copy.problems = []
        return copy
    }
}
