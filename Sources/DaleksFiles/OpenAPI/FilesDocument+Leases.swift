import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService

/// What machines ask whose programs lock files.
extension FilesDocument {
    private static let mode = Schema.one(of: LeaseMode.allCases.map(\.rawValue))
    private static let wait = Schema.integer(0...Int64.max).orNull

    static let leases = [
        ask(
            .post,
            Routes.Files.leasePattern,
            "takeLease",
            Tag.sync,
            Access.reader,
            "Decide about locks on a file: alone, or with others who only read",
            body: .json(
                .object(["device": .id, "mode": mode], optional: ["wait": wait, "unless_used": Schema.bool.orNull])
            ),
            answers: [
                .json(
                    200,
                    .object([
                        "node": .id, "number": FilesSchemas.revision, "mode": mode,
                        "seconds": .integer(0...Int64(Limits.Wire.leaseSecondsMax)), "cursor": FilesSchemas.cursor,
                    ]),
                    "the lease, which holds so long unless it is renewed"
                )
            ],
            problems: [409, 422, 423, 503]
        ),
        ask(
            .delete,
            Routes.Files.leasePattern,
            "returnLease",
            Tag.sync,
            Access.reader,
            "Give it back",
            parameters: [
                .query("device", .id, "whose it is", isRequired: true),
                .query("number", FilesSchemas.revision, "which", isRequired: true),
            ],
            answers: [.empty(204, "the device does not have it any more")]
        ),
        ask(
            .post,
            Routes.Files.leases,
            "watchLeases",
            Tag.sync,
            Access.reader,
            "Renew what a device has, and wait for others to want something of it",
            body: .json(
                .object(
                    ["device": .id, "held": .list(held, countMax: Limits.Wire.leaseCountMax)],
                    optional: ["wait": wait]
                )
            ),
            answers: [
                .json(
                    200,
                    .object([
                        "seconds": .integer(0...Int64(Limits.Wire.leaseSecondsMax)), "recalled": .list(.id),
                        "lost": .list(.id),
                    ]),
                    "what others want, and what is not the device's any more"
                )
            ],
            problems: [503]
        ),
    ]

    private static let held = Schema.object(
        ["node": .id, "number": .integer()],
        optional: ["recalled": Schema.bool.orNull, "used": Schema.bool.orNull]
    )
}
