import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService

/// Rights; versions and trash.
extension FilesDocument {
    static let sharing = [
        ask(
            .get,
            Routes.Files.accessPattern,
            "access",
            Tag.sharing,
            Access.reader,
            "What the caller may do with it, and why",
            answers: [
                .json(
                    200,
                    .object([
                        "owner": .id, "is_owner": .bool, "rights": FilesSchemas.rights,
                        "visibility": FilesSchemas.visibility,
                        "reasons": .list(
                            .object(
                                ["rights": FilesSchemas.rights, "node": .id],
                                optional: [
                                    "name": .text(), "name64": .text(), "by": .id, "expires": .time, "public": .bool,
                                ]
                            )
                        ),
                        "why": .list(.text()),
                    ]),
                    "it"
                )
            ],
            problems: [404]
        ),
        ask(
            .get,
            Routes.Files.grantsPattern,
            "grants",
            Tag.sharing,
            Access.reader,
            "Who was given what on it",
            answers: [.json(200, .object(["grants": .list(.named("Grant"))]), "the grants on it itself")],
            problems: [404]
        ),
        ask(
            .put,
            Routes.Files.grantPattern,
            "grant",
            Tag.sharing,
            Access.writer,
            "Give somebody rights on it and all below it, in place of what they had here",
            body: .json(.object(["rights": FilesSchemas.someRights], optional: ["expires": Schema.time.orNull])),
            answers: [.json(200, .named("Grant"), "the grant")],
            problems: [404, 409, 422]
        ),
        ask(
            .delete,
            Routes.Files.grantPattern,
            "revokeGrant",
            Tag.sharing,
            Access.writer,
            "Take them away; with one's own id: leave",
            answers: [.empty(204, "they are gone")],
            problems: [404]
        ),
        ask(
            .put,
            Routes.Files.visibilityPattern,
            "setVisibility",
            Tag.sharing,
            Access.writer,
            "Let everybody read it, or no longer",
            body: .json(.object(["visibility": .one(of: ["public", "private"])])),
            answers: [.json(200, .named("Node"), "it")],
            problems: [404, 422]
        ),
        ask(
            .get,
            Routes.Files.sharedWithMe,
            "sharedWithMe",
            Tag.sharing,
            Access.reader,
            "What others let the caller see",
            parameters: page("items"),
            answers: [
                .json(
                    200,
                    .object(
                        [
                            "items": .list(
                                FilesSchemas.named(
                                    [
                                        "node": .named("Node"), "by": .id, "granted": .time,
                                        "cursor": FilesSchemas.cursor,
                                    ],
                                    optional: ["expires": .time, "within": .id]
                                )
                            ), "cursor": FilesSchemas.cursor,
                        ],
                        optional: ["next": .id]
                    ),
                    "a page"
                )
            ]
        ),
        ask(
            .get,
            Routes.Files.sharedByMe,
            "sharedByMe",
            Tag.sharing,
            Access.reader,
            "What the caller lets others see",
            parameters: page("items"),
            answers: [
                .json(
                    200,
                    .object(
                        [
                            "items": .list(
                                .object([
                                    "node": .named("Node"), "path": .text(), "grants": .list(.named("Grant")),
                                ])
                            )
                        ],
                        optional: ["next": .id]
                    ),
                    "a page"
                )
            ]
        ),
    ]

    static let transfers = [
        ask(
            .post,
            Routes.Files.nodeTransferPattern,
            "offerTransfer",
            Tag.sharing,
            Access.writer,
            "Offer it to somebody else to own; only its owner may",
            body: .json(.object(["to": .id])),
            answers: [.json(201, .named("Transfer"), "the offer, good for a week")],
            problems: [404, 422]
        ),
        ask(
            .get,
            Routes.Files.transfers,
            "transfers",
            Tag.sharing,
            Access.reader,
            "What is offered to the caller, and what the caller offers",
            answers: [.json(200, .object(["transfers": .list(.named("Transfer"))]), "the offers")]
        ),
        ask(
            .post,
            Routes.Files.transferAcceptPattern,
            "acceptTransfer",
            Tag.sharing,
            Access.writer,
            "Own what was offered from now on",
            body: .json(
                .object(optional: [
                    "to_parent": Schema.id.orNull, "name": FilesSchemas.name.orNull,
                    "name64": FilesSchemas.name64.orNull,
                ])
            ),
            answers: [.json(201, .named("Node"), "it, as the caller's")],
            problems: [404, 409, 410, 422, 507]
        ),
        ask(
            .delete,
            Routes.Files.transferPattern,
            "endTransfer",
            Tag.sharing,
            Access.writer,
            "Withdraw an offer, or decline it",
            answers: [.empty(204, "it is gone")],
            problems: [404]
        ),
    ]

    static let versions = [
        ask(
            .get,
            Routes.Files.versionsPattern,
            "versions",
            Tag.versions,
            Access.reader,
            "The contents that a file has and had",
            answers: [
                .json(
                    200,
                    .object(["versions": .list(.named("Version"))], optional: ["made": .time]),
                    "the present one first; when the file was made, where that is known"
                )
            ],
            problems: [404, 422]
        ),
        ask(
            .patch,
            Routes.Files.versionPattern,
            "changeVersion",
            Tag.versions,
            Access.writer,
            "Label a version, or pin it",
            body: .json(
                .object(optional: [
                    "label": Schema.text(0...Limits.Wire.labelBytesMax).orNull, "pinned": Schema.bool.orNull,
                ])
            ),
            answers: [.json(200, .named("Version"), "it")],
            problems: [404, 422]
        ),
        ask(
            .delete,
            Routes.Files.versionPattern,
            "deleteVersion",
            Tag.versions,
            Access.writer,
            "Delete a version for good",
            answers: [.empty(204, "it is gone")],
            problems: [404, 409, 422]
        ),
        ask(
            .get,
            Routes.Files.versionContentPattern,
            "versionContent",
            Tag.versions,
            Access.reader,
            "A version's bytes",
            parameters: reading,
            answers: bytesAnswers,
            problems: [404, 416, 422]
        ),
        ask(
            .post,
            Routes.Files.versionRestorePattern,
            "restoreVersion",
            Tag.versions,
            Access.writer,
            "Make a version the present content; what was present becomes a version",
            body: .json(.object(["base": FilesSchemas.revision])),
            answers: [.json(200, .named("Node"), "the file")],
            problems: [404, 409, 422, 507]
        ),
        ask(
            .get,
            Routes.Files.trash,
            "trash",
            Tag.versions,
            Access.reader,
            "What was removed and can come back",
            parameters: page("items"),
            answers: [
                .json(
                    200,
                    .object(
                        [
                            "items": .list(
                                FilesSchemas.named(
                                    ["node": .named("Node"), "parent": .id, "removed": .time, "expires": .time],
                                    optional: ["by": .id, "made": .time]
                                )
                            )
                        ],
                        optional: ["next": .id]
                    ),
                    "a page, the latest first"
                )
            ]
        ),
        ask(
            .post,
            Routes.Files.trashRestorePattern,
            "restoreTrash",
            Tag.versions,
            Access.writer,
            "Bring something back from the trash, with the folders above it that are there too",
            body: .json(
                .object(optional: [
                    "to_parent": Schema.id.orNull, "to_name": FilesSchemas.name.orNull,
                    "to_name64": FilesSchemas.name64.orNull,
                    "on_conflict": Schema.one(of: TrashRestoreRequest.ConflictRule.allCases.map(\.rawValue)).orNull,
                ])
            ),
            answers: [.json(200, FilesSchemas.named(["node": .named("Node")]), "it, and its name")],
            problems: [404, 409, 422, 507]
        ),
        ask(
            .delete,
            Routes.Files.trashItemPattern,
            "purgeTrash",
            Tag.versions,
            Access.writer,
            "Delete something in the trash for good",
            answers: [.empty(204, "it is gone")],
            problems: [404]
        ),
        ask(
            .delete,
            Routes.Files.trash,
            "emptyTrash",
            Tag.versions,
            Access.writer,
            "Delete all that is in the trash for good",
            answers: [.empty(204, "it is empty")]
        ),
    ]
}
