import DaleksCore
import DaleksCrypto
import DaleksService

/// The bodies that more than one operation has.
enum UsersSchemas {
    static let all: KeyValuePairs<String, Schema> = [
        "User": user, "Me": me, "Account": account, "Region": region, "Session": session, "SessionSummary": summary,
        "Token": token, "OAuthError": oauthError, "AppPassword": appPassword, "KeySet": keySet,
        "ClientRecord": client, "KeyRecord": key,
    ]

    static let email = Schema.text(example: "ann@example.com")
    static let password = Schema.text(8...Limits.Users.passwordBytesMax, example: "a horse that knows batteries")
    static let name = Schema.text(1...Limits.Users.nameBytesMax, pattern: "^[^\\x00-\\x1f\\x7f-\\x9f]+$")
    static let handle = Schema.text(2...32, pattern: "^[a-z][a-z0-9_.-]+$")
    static let role = Schema.one(of: ["user", "admin"])
    static let scope = Schema.text(pattern: "^[a-z:_ ]*$", example: "files:read offline_access")
    static let algorithm = Schema.one(of: SignatureAlgorithm.allCases.map(\.rawValue))
    static let status = Schema.one(of: ["open", "draining", "closed"])

    private static let user = Schema.object(
        ["id": .id, "email": .text(), "name": .text()],
        optional: ["handle": .text(), "role": role]
    )

    private static let me = Schema.object(
        [
            "id": .id, "email": .text(), "name": .text(), "role": role, "has_totp": .bool, "created": .time,
        ],
        optional: ["handle": .text(), "region": .text(), "note": .text(), "pending_email": .text()]
    )

    private static let account = Schema.object(
        [
            "id": .id, "email": .text(), "name": .text(), "role": role, "has_totp": .bool, "created": .time,
            "is_locked": .bool, "session_count": .integer(),
        ],
        optional: ["handle": .text(), "region": .text(), "quota_bytes": .integer()]
    )

    private static let region = Schema.object(
        ["code": .text(), "name": .text(), "files_url": .url, "status": status],
        optional: ["is_up": .bool, "checked": .time]
    )

    private static let session = Schema.object(
        [
            "access_token": .text(), "token_type": .constant("Bearer"), "expires_in": .integer(1...86_400),
            "refresh_token": .text(), "scope": scope, "user": .named("User"), "region": .named("Region"),
        ]
    )

    private static let token = Schema.object(
        [
            "access_token": .text(), "token_type": .constant("Bearer"), "expires_in": .integer(1...86_400),
            "scope": scope,
        ],
        optional: ["refresh_token": .text(), "id_token": .text(), "region": .named("Region")]
    ).described("RFC 6749, 5.1; `region` is where the token is good, absent where it is for this service")

    private static let oauthError = Schema.object(
        ["error": .text(pattern: "^[a-z_]+$"), "error_description": .text()]
    ).described("RFC 6749, 5.2")

    private static let summary = Schema.object(
        [
            "id": .id, "device": .text(), "client": .text(), "region": .text(), "scope": .text(), "created": .time,
            "used": .time,
        ],
        optional: ["is_current": .bool]
    )

    private static let appPassword = Schema.object(
        ["id": .id, "name": .text(), "scope": scope, "created": .time],
        optional: ["used": .time]
    )

    private static let keySet = Schema.object(
        [
            "keys": .list(
                .object(
                    ["kty": .one(of: ["EC", "RSA"]), "kid": .text()],
                    optional: [
                        "crv": .constant("P-256"), "x": .text(), "y": .text(), "n": .text(), "e": .text(),
                        "use": .text(), "alg": algorithm,
                    ]
                )
            )
        ]
    ).described("RFC 7517")

    private static let key = Schema.object(
        ["id": .text(), "alg": algorithm, "stage": .one(of: ["announced", "active", "retiring"]), "announced": .time],
        optional: ["activated": .time, "retired": .time]
    )

    private static let client = Schema.object(
        [
            "id": .text(), "name": .text(), "is_public": .bool, "redirects": .list(.text()),
            "grants": .list(.one(of: GrantKind.allCases.map(\.rawValue))), "scope": scope, "created": .time,
            "id_token_alg": algorithm,
        ],
        optional: ["secret": .text()]
    ).described("A program that may ask for tokens; `secret` is told once, where it was made")
}
