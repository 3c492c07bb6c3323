import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksService

/// What people ask about themselves and each other.
extension UsersDocument {
    static func json(
        _ method: HTTPMethod,
        _ path: String,
        _ name: String,
        _ tag: String,
        _ access: String?,
        _ summary: String,
        body: Schema? = nil,
        answers: [APIOperation.Answer],
        problems: [Int] = []
    ) -> APIOperation {
        var operation = APIOperation(method, path, name, tag: tag, summary)
        operation.body = body.map { .json($0) }
        operation.answers = answers
        operation.problems = problems + (body == nil ? [] : [400, 413, 415])
        if let access {
            operation.access = [access]
            operation.problems += access == Access.bearer || access == Access.service ? [401] : [401, 403]
        }
        return operation
    }

    private static let code = Schema.text().orNull.described(
        "a one-time or a recovery code, where the account has a second factor"
    )

    /// A password is proved again for what would hurt.
    private static func proof(_ more: KeyValuePairs<String, Schema> = [:]) -> Schema {
        Schema.all(of: [.object(["password": .text()], optional: ["code": code]), .object(more)])
    }

    // MARK: Coming

    static let coming = [
        json(
            .post,
            Routes.Users.users,
            "register",
            Tag.coming,
            nil,
            "Make an account",
            body: .object(
                ["email": UsersSchemas.email, "password": UsersSchemas.password, "name": UsersSchemas.name],
                optional: ["handle": UsersSchemas.handle.orNull]
            ),
            answers: [
                .json(201, .named("User"), "the account (where registration is open)"),
                .json(202, .object(["status": .constant("verify")]), "the rest comes by mail"),
            ],
            problems: [403, 409, 422, 429, 503]
        ),
        json(
            .post,
            Routes.Users.verify,
            "verify",
            Tag.coming,
            nil,
            "Finish what a mail began",
            body: .object(["token": .text(), "password": UsersSchemas.password]),
            answers: [.json(201, .named("User"), "the account")],
            problems: [401, 409, 410, 422, 429, 503]
        ),
        json(
            .post,
            Routes.Users.login,
            "logInHere",
            Tag.coming,
            nil,
            "Log a program of this house in",
            body: .object(
                ["email": .text(), "password": .text(), "device": .text(1...Limits.Users.deviceBytesMax)],
                optional: ["region": .text().orNull, "code": code]
            ),
            answers: [.json(200, .named("Session"), "a session")],
            problems: [401, 403, 422, 423, 429, 503]
        ),
        json(
            .post,
            Routes.Users.forgotPassword,
            "forgotPassword",
            Tag.coming,
            nil,
            "Ask for a mail that lets one set another password",
            body: .object(["email": .text()]),
            answers: [
                .json(202, .object(["status": .constant("mailed")]), "the same whether there is such an account")
            ],
            problems: [422, 429]
        ),
        json(
            .post,
            Routes.Users.resetPassword,
            "resetPassword",
            Tag.coming,
            nil,
            "Set another password by a mail's token",
            body: .object(["token": .text(), "password": UsersSchemas.password], optional: ["code": code]),
            answers: [.empty(204, "it is set, and every session ended")],
            problems: [401, 403, 410, 422, 429, 503]
        ),
    ]

    // MARK: Being

    static let me = [
        json(
            .get,
            Routes.Users.me,
            "me",
            Tag.me,
            Access.manage,
            "One's own account",
            answers: [.json(200, .named("Me"), "the account")]
        ),
        json(
            .patch,
            Routes.Users.me,
            "changeMe",
            Tag.me,
            Access.own,
            "Change one's own account",
            body: .object(optional: [
                "name": UsersSchemas.name.orNull, "handle": UsersSchemas.handle.orNull, "region": .text().orNull,
                "email": .text().orNull, "password": .text().orNull, "code": code,
            ]),
            answers: [.json(200, .named("Me"), "the account; `note` says that files stay where they are")],
            problems: [409, 422, 429, 503]
        ),
        json(
            .delete,
            Routes.Users.me,
            "deleteMe",
            Tag.me,
            Access.own,
            "Delete one's own account",
            body: proof(),
            answers: [
                .json(202, .object(["purge_after": .time]), "sessions have ended; regions erase after that time")
            ],
            problems: [409, 422, 429, 503]
        ),
        json(
            .get,
            "/v1/me/export",
            "exportMe",
            Tag.me,
            Access.own,
            "Everything that is kept about oneself",
            answers: [.json(200, .object(), "all of it")]
        ),
        json(
            .post,
            "/v1/me/password",
            "changePassword",
            Tag.me,
            Access.own,
            "Change one's own password",
            body: .object(
                ["password": .text(), "new_password": UsersSchemas.password],
                optional: ["code": code]
            ),
            answers: [.empty(204, "it is changed, and every other session ended")],
            problems: [422, 429, 503]
        ),
        json(
            .get,
            "/v1/me/sessions",
            "sessions",
            Tag.me,
            Access.manage,
            "What is logged in",
            answers: [.json(200, .object(["sessions": .list(.named("SessionSummary"))]), "the sessions that go on")]
        ),
        sessionEnd,
        sessionsEnd,
    ]

    private static var sessionEnd: APIOperation {
        var operation = json(
            .delete,
            "/v1/me/sessions/:id",
            "endSession",
            Tag.me,
            Access.own,
            "End a session",
            answers: [.empty(204, "it has ended")],
            problems: [400, 404]
        )
        operation.parameters = [.path("id", .id, "the session")]
        return operation
    }

    private static var sessionsEnd: APIOperation {
        var operation = json(
            .delete,
            "/v1/me/sessions",
            "endSessions",
            Tag.me,
            Access.own,
            "End all sessions",
            answers: [.empty(204, "they have ended")],
            problems: [400]
        )
        operation.parameters = [.query("except", .one(of: ["current"]), "leaves the one that asks")]
        return operation
    }

    // MARK: The second factor, and passwords for programs

    static let factors = [
        json(
            .post,
            "/v1/me/totp",
            "proposeSecondFactor",
            Tag.me,
            Access.own,
            "Draw the secret of a second factor",
            body: .object(["password": .text()]),
            answers: [
                .json(200, .object(["secret": .text(), "uri": .text()]), "for an authenticator; not in force yet")
            ],
            problems: [409, 422, 429, 503]
        ),
        json(
            .post,
            "/v1/me/totp/confirm",
            "confirmSecondFactor",
            Tag.me,
            Access.own,
            "Put the second factor in force",
            body: .object(["code": .text()]),
            answers: [.json(200, .object(["recovery_codes": .list(.text())]), "shown this once")],
            problems: [404, 409, 422, 429]
        ),
        json(
            .delete,
            "/v1/me/totp",
            "endSecondFactor",
            Tag.me,
            Access.own,
            "Do without a second factor",
            body: proof(),
            answers: [.empty(204, "it is gone")],
            problems: [404, 409, 422, 429, 503]
        ),
        json(
            .post,
            "/v1/me/recovery-codes",
            "renewRecoveryCodes",
            Tag.me,
            Access.own,
            "Draw other recovery codes",
            body: proof(),
            answers: [.json(200, .object(["recovery_codes": .list(.text())]), "shown this once; the former are void")],
            problems: [404, 409, 422, 429, 503]
        ),
        json(
            .get,
            "/v1/me/app-passwords",
            "appPasswords",
            Tag.me,
            Access.manage,
            "Passwords of programs",
            answers: [.json(200, .object(["app_passwords": .list(.named("AppPassword"))]), "without their secrets")]
        ),
        json(
            .post,
            "/v1/me/app-passwords",
            "makeAppPassword",
            Tag.me,
            Access.own,
            "Make a password for a program",
            body: .object(
                ["name": UsersSchemas.name, "password": .text()],
                optional: ["scope": .text().orNull, "code": code]
            ),
            answers: [
                .json(
                    201,
                    .all(of: [.named("AppPassword"), .object(["secret": .text()])]),
                    "with its secret, shown this once"
                )
            ],
            problems: [409, 422, 429, 503]
        ),
        appPasswordEnd,
    ]

    private static var appPasswordEnd: APIOperation {
        var operation = json(
            .delete,
            "/v1/me/app-passwords/:id",
            "endAppPassword",
            Tag.me,
            Access.own,
            "Take a program's password back",
            answers: [.empty(204, "it is gone, and its sessions ended")],
            problems: [400, 404]
        )
        operation.parameters = [.path("id", .id, "the password")]
        return operation
    }

    // MARK: Others

    static let people = [find, names]

    private static var find: APIOperation {
        var operation = json(
            .get,
            Routes.Users.find,
            "findUser",
            Tag.people,
            Access.bearer,
            "Look somebody up by exact e-mail address or handle",
            answers: [
                .json(
                    200,
                    .object(["id": .id, "name": .text()], optional: ["handle": .text(), "region": .text()]),
                    "who it is"
                )
            ],
            problems: [400, 404, 422, 429]
        )
        operation.parameters = [
            .query("email", .text(), "this, or a handle"), .query("handle", .text(), "this, or an e-mail address"),
        ]
        return operation
    }

    private static var names: APIOperation {
        var operation = json(
            .post,
            Routes.Users.names,
            "names",
            Tag.people,
            Access.bearer,
            "The names of people whose ids one has",
            body: .object(["ids": .list(.id, countMax: 256)]),
            answers: [
                .json(
                    200,
                    .object([
                        "users": .list(
                            .object(
                                ["id": .id, "name": .text()],
                                optional: ["handle": .text(), "quota_bytes": .integer(), "is_locked": .bool]
                            )
                        )
                    ]),
                    "those who are there; quota and lock are told to files services only"
                )
            ]
        )
        operation.access = [Access.bearer, Access.service]
        return operation
    }

    // MARK: Regions

    static let regions = [
        json(
            .get,
            Routes.Users.regions,
            "regions",
            Tag.regions,
            nil,
            "The directory",
            answers: [.json(200, .object(["regions": .list(.named("Region"))]), "those that serve")]
        ),
        json(
            .post,
            Routes.Users.enrolments,
            "enrol",
            Tag.regions,
            nil,
            "A files service enrols itself",
            body: .object(["token": .text(), "files_url": .text()], optional: ["name": .text().orNull]),
            answers: [
                .json(
                    201,
                    .object(["region": .text(), "service_id": .text(), "secret": .text(), "issuer": .url]),
                    "what it asks with from now on"
                )
            ],
            problems: [401, 403, 404, 409, 410, 422, 429]
        ),
        revocations,
    ]

    private static var revocations: APIOperation {
        var operation = json(
            .get,
            Routes.Users.revocations,
            "revocations",
            Tag.regions,
            Access.service,
            "What must not be believed any more",
            answers: [
                .json(
                    200,
                    .object([
                        "events": .list(
                            .object(
                                ["number": .integer(), "time": .time, "kind": .text()],
                                optional: ["session": .id, "user": .id, "before": .integer(), "purge_after": .time]
                            )
                        ), "cursor": .text(), "is_restart": .bool,
                    ]),
                    "a page of the feed"
                )
            ],
            problems: [400]
        )
        operation.parameters = [
            .query("after", .text(), "the cursor of the page before"),
            .query("wait", .integer(0...60), "seconds to wait for something new"),
        ]
        return operation
    }
}
