import DaleksAPI
import DaleksHTTP
import DaleksService

/// What administrators ask.
extension UsersDocument {
    static let administration =
        [
            json(
                .post,
                "/v1/admin/first",
                "makeFirstAdmin",
                Tag.admin,
                nil,
                "Make the first administrator, with the token that the first start printed",
                body: .object([
                    "token": .text(), "email": UsersSchemas.email, "password": UsersSchemas.password,
                    "name": UsersSchemas.name,
                ]),
                answers: [.json(201, .named("User"), "the administrator")],
                problems: [401, 403, 404, 409, 410, 422, 429, 503]
            ),
            users, makeUser,
            admin(
                .get,
                "/v1/admin/users/:id",
                "adminUser",
                "An account",
                [.json(200, .named("Account"), "the account")],
                parameter: ("id", .id)
            ),
            changeUser,
            admin(
                .delete,
                "/v1/admin/users/:id",
                "deleteUser",
                "Delete an account",
                [.json(202, .object(["purge_after": .time]), "sessions have ended; regions erase after that time")],
                parameter: ("id", .id)
            ),
            admin(
                .post,
                "/v1/admin/users/:id/password-reset",
                "resetUserPassword",
                "Mail somebody a way to set another password",
                [.json(202, .object(["status": .constant("mailed")]), "it is on its way")],
                parameter: ("id", .id)
            ),
            admin(
                .delete,
                "/v1/admin/users/:id/totp",
                "endUserSecondFactor",
                "Take a second factor away from somebody who lost it",
                [.empty(204, "it is gone")],
                parameter: ("id", .id)
            ),
            sessionsOfUser,
            admin(
                .delete,
                "/v1/admin/sessions/:id",
                "endUserSession",
                "End a session",
                [.empty(204, "it has ended")],
                parameter: ("id", .id)
            ),
            admin(
                .delete,
                "/v1/admin/users/:id/sessions",
                "endUserSessions",
                "End all sessions of somebody",
                [.empty(204, "they have ended")],
                parameter: ("id", .id)
            ),
            admin(
                .get,
                "/v1/admin/regions",
                "adminRegions",
                "Regions, with what administrators know of them",
                [.json(200, .object(["regions": .list(adminRegion)]), "all of them")]
            ),
            admin(
                .post,
                "/v1/admin/regions",
                "makeRegion",
                "Add a region",
                [.json(201, .named("Region"), "the region")],
                body: .object(["code": .text(), "files_url": .text()], optional: ["name": .text().orNull])
            ),
            admin(
                .patch,
                "/v1/admin/regions/:code",
                "changeRegion",
                "Change a region",
                [.json(200, .named("Region"), "the region")],
                parameter: ("code", .text()),
                body: .object(optional: [
                    "name": .text().orNull, "files_url": .text().orNull, "status": UsersSchemas.status.orNull,
                ])
            ),
            admin(
                .delete,
                "/v1/admin/regions/:code",
                "removeRegion",
                "Remove a region that is nobody's home",
                [.empty(204, "it is gone")],
                parameter: ("code", .text())
            ),
            admin(
                .post,
                "/v1/admin/regions/:code/enrolment",
                "inviteRegion",
                "Draw a token with which a files service enrols itself",
                [.json(201, .object(["token": .text(), "expires": .time]), "good once")],
                parameter: ("code", .text()),
                body: .object(optional: ["name": .text().orNull])
            ),
            audit,
            admin(
                .post,
                "/v1/admin/tokens/inspect",
                "inspectToken",
                "Say of a token who, what for, until when, and whether it is good",
                [
                    .json(
                        200,
                        .object(
                            ["is_valid": .bool, "kind": .text()],
                            optional: [
                                "reason": .text(), "header": .any, "claims": .any, "user": .any, "email": .text(),
                                "session": .any, "audience": .text(), "scope": .text(), "expires": .time,
                                "is_revoked": .bool,
                            ]
                        ),
                        "what was found"
                    )
                ],
                body: .object(["token": .text()])
            ),
            admin(
                .post,
                "/v1/admin/restored",
                "restored",
                "Say that the database came back from a backup",
                [.json(200, .object(["epoch": .text()]), "every token of before is refused from now on")]
            ),
        ] + keysAndClients

    private static let keysAndClients = [
        admin(
            .get,
            "/v1/admin/keys",
            "keys",
            "The keys and where they are on their way",
            [.json(200, .object(["keys": .list(.named("KeyRecord"))]), "all that are published")]
        ),
        admin(
            .post,
            "/v1/admin/keys/rotate",
            "rotateKeys",
            "Order another key: announced now, signing when everybody can know it",
            [.json(202, .object(["status": .constant("ordered")]), "it is on its way")]
        ),
        admin(
            .delete,
            "/v1/admin/keys/:id",
            "revokeKey",
            "Take a key back at once, and with it every token that it signed",
            [.empty(204, "it is published no more")],
            parameter: ("id", .text())
        ),
        admin(
            .get,
            "/v1/admin/clients",
            "clients",
            "Programs that may ask for tokens",
            [.json(200, .object(["clients": .list(.named("ClientRecord"))]), "all of them")]
        ),
        admin(
            .post,
            "/v1/admin/clients",
            "registerClient",
            "Register a program",
            [.json(201, .named("ClientRecord"), "with its secret, told this once")],
            body: .object(
                [
                    "name": UsersSchemas.name,
                    "grants": .list(.one(of: GrantKind.allCases.map(\.rawValue)), countMax: 4),
                    "scope": .text(),
                ],
                optional: [
                    "id": .text(1...64).orNull, "is_public": Schema.bool.orNull,
                    "redirects": Schema.list(.text(), countMax: 32).orNull,
                    "id_token_alg": UsersSchemas.algorithm.orNull,
                ]
            )
        ),
        admin(
            .delete,
            "/v1/admin/clients/:id",
            "removeClient",
            "Remove a program; what people let it do ends",
            [.empty(204, "it is gone")],
            parameter: ("id", .text())
        ),
        admin(
            .post,
            "/v1/admin/clients/:id/secret",
            "renewClientSecret",
            "Draw another secret for a program",
            [.json(200, .named("ClientRecord"), "with its secret, told this once; the former is void")],
            parameter: ("id", .text())
        ),
    ]

    private static func admin(
        _ method: HTTPMethod,
        _ path: String,
        _ name: String,
        _ summary: String,
        _ answers: [APIOperation.Answer],
        parameter: (name: String, schema: Schema)? = nil,
        body: Schema? = nil
    ) -> APIOperation {
        var operation = json(
            method,
            path,
            name,
            Tag.admin,
            Access.admin,
            summary,
            body: body,
            answers: answers,
            problems: [404, 409, 422] + (body == nil ? [400] : [])
        )
        if let parameter { operation.parameters = [.path(parameter.name, parameter.schema, "which one")] }
        return operation
    }

    private static let adminRegion = Schema.all(of: [
        .named("Region"), .object(["origin": .text(), "user_count": .integer(), "is_enrolled": .bool]),
    ])

    private static let page: [APIOperation.Parameter] = [
        .query("limit", .integer(1...500), "how many at most"), .query("after", .text(), "the last answer's next"),
    ]

    private static var users: APIOperation {
        var operation = admin(
            .get,
            "/v1/admin/users",
            "users",
            "Accounts",
            [.json(200, .object(["users": .list(.named("Account"))], optional: ["next": .id]), "a page of them")]
        )
        operation.parameters = [
            .query("query", .text(), "part of a name, handle or address"),
            .query("limit", .integer(1...500), "how many at most"), .query("after", .id, "the last answer's next"),
        ]
        return operation
    }

    private static var makeUser: APIOperation {
        admin(
            .post,
            "/v1/admin/users",
            "makeUser",
            "Make an account, verified",
            [.json(201, .named("Account"), "the account; without a password a mail lets them set one")],
            body: .object(
                ["email": UsersSchemas.email, "name": UsersSchemas.name],
                optional: [
                    "handle": UsersSchemas.handle.orNull, "password": UsersSchemas.password.orNull,
                    "role": UsersSchemas.role.orNull,
                ]
            )
        )
    }

    private static var changeUser: APIOperation {
        admin(
            .patch,
            "/v1/admin/users/:id",
            "changeUser",
            "Change an account",
            [.json(200, .named("Account"), "the account; locking ends every session")],
            parameter: ("id", .id),
            body: .object(optional: [
                "name": UsersSchemas.name.orNull, "handle": UsersSchemas.handle.orNull,
                "role": UsersSchemas.role.orNull, "is_locked": Schema.bool.orNull,
                "quota_bytes": Schema.integer(0...Int64.max).orNull,
            ])
        )
    }

    private static var sessionsOfUser: APIOperation {
        var operation = admin(
            .get,
            "/v1/admin/sessions",
            "userSessions",
            "What somebody is logged in with",
            [.json(200, .object(["sessions": .list(.named("SessionSummary"))]), "the sessions that go on")]
        )
        operation.parameters = [.query("user", .id, "whose", isRequired: true)]
        return operation
    }

    private static var audit: APIOperation {
        var operation = admin(
            .get,
            "/v1/admin/audit",
            "audit",
            "Who did what, from where, when, and how it ended; the newest first",
            [
                .json(
                    200,
                    .object(
                        [
                            "entries": .list(
                                .object(
                                    [
                                        "number": .integer(), "time": .time, "action": .text(), "outcome": .text(),
                                        "client": .text(), "request": .text(),
                                    ],
                                    optional: ["user": .id, "session": .id, "actor": .id, "detail": .text()]
                                )
                            )
                        ],
                        optional: ["next": .integer()]
                    ),
                    "a page of them"
                )
            ]
        )
        operation.parameters = [
            .query("user", .id, "concerning whom"), .query("action", .text(), "of this kind only"),
            .query("outcome", .text(), "that ended so only"), .query("since", .integer(0...Int64.max), "from then on"),
            .query("until", .integer(0...Int64.max), "until then"),
            .query("limit", .integer(1...500), "how many at most"),
            .query("after", .integer(0...Int64.max), "the last answer's next"),
        ]
        return operation
    }
}
