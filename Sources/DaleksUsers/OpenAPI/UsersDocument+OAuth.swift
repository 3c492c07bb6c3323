import DaleksAPI
import DaleksHTTP
import DaleksService

/// What programs ask, whoever wrote them.
extension UsersDocument {
    static let oauth = [token, device, revoke, introspect, userInfo(.get), userInfo(.post)]

    private static let credentials: KeyValuePairs<String, Schema> = [
        "client_id": .text(0...64), "client_secret": .text(),
    ]

    private static func endpoint(_ path: String, _ name: String, _ summary: String) -> APIOperation {
        var operation = APIOperation(.post, path, name, tag: Tag.oauth, summary)
        operation.access = [Access.client]
        return operation
    }

    private static func refusals(_ statuses: [Int] = [400, 401]) -> [APIOperation.Answer] {
        statuses.map { .json($0, .named("OAuthError"), "refused, in OAuth's words") }
    }

    private static var token: APIOperation {
        var operation = endpoint(Routes.Users.token, "token", "Turn a grant into tokens")
        operation.about = """
            Grants: authorization_code (with code, code_verifier and the redirect_uri of before), refresh_token (with \
            refresh_token; a request_id drawn at random makes the request safe to repeat), \
            urn:ietf:params:oauth:grant-type:device_code (with device_code), client_credentials. resource is the files \
            URL of the region that the token is for.
            """
        operation.isAccessOptional = true
        operation.body = .form(
            .object(
                ["grant_type": .one(of: GrantKind.allCases.map(\.rawValue))],
                optional: [
                    "client_id": .text(0...64), "client_secret": .text(), "code": .text(), "code_verifier": .text(),
                    "redirect_uri": .text(), "refresh_token": .text(), "request_id": .text(), "device_code": .text(),
                    "scope": .text(), "resource": .text(),
                ]
            )
        )
        operation.answers = [.json(200, .named("Token"), "the tokens")] + refusals()
        return operation
    }

    private static var device: APIOperation {
        var operation = endpoint(Routes.Users.deviceAuthorization, "authorizeDevice", "Begin to let a device in")
        operation.isAccessOptional = true
        operation.body = .form(
            .object(optional: [
                "client_id": .text(0...64), "client_secret": .text(), "scope": .text(), "resource": .text(),
                "device_name": .text(),
            ])
        )
        let invitation = Schema.object([
            "device_code": .text(), "user_code": .text(pattern: "^[A-Z]{4}-[A-Z]{4}$"), "verification_uri": .url,
            "verification_uri_complete": .url, "expires_in": .integer(1...86_400), "interval": .integer(1...600),
        ])
        operation.answers = [.json(200, invitation, "what to show, and what to ask with")] + refusals()
        operation.problems = [429]
        return operation
    }

    private static var revoke: APIOperation {
        var operation = endpoint(Routes.Users.revoke, "revokeToken", "End the session that a token belongs to")
        operation.about = "Of an access token for a region, by clients with a secret only."
        operation.isAccessOptional = true
        operation.body = .form(
            .object(
                ["token": .text()],
                optional: ["token_type_hint": .text(), "client_id": .text(0...64), "client_secret": .text()]
            )
        )
        operation.answers = [.empty(200, "it is ended, or there was nothing to end")] + refusals()
        return operation
    }

    private static var introspect: APIOperation {
        var operation = endpoint(Routes.Users.introspect, "introspectToken", "Ask what a token is good for")
        operation.about = "Clients with a secret only. Refresh tokens are told about to their own client only."
        operation.isAccessOptional = true
        operation.body = .form(
            .object(
                ["token": .text()],
                optional: ["token_type_hint": .text(), "client_id": .text(0...64), "client_secret": .text()]
            )
        )
        let facts = Schema.object(
            ["active": .bool],
            optional: [
                "token_type": .text(), "iss": .text(), "sub": .text(), "aud": .text(), "scope": .text(),
                "client_id": .text(), "iat": .integer(), "exp": .integer(), "jti": .text(), "sid": .text(),
                "username": .text(),
            ]
        )
        operation.answers = [.json(200, facts, "RFC 7662, 2.2")] + refusals()
        return operation
    }

    private static func userInfo(_ method: HTTPMethod) -> APIOperation {
        var operation = APIOperation(
            method,
            Routes.Users.userInfo,
            method == .get ? "userInfo" : "userInfoByPost",
            tag: Tag.oauth,
            "Who the token's user is (OpenID Connect)"
        )
        operation.access = [Access.identity]
        let claims = Schema.object(["sub": .id], optional: ["name": .text(), "email": .text()])
        operation.answers = [.json(200, claims, "as much as the scope lets the program know")]
        operation.problems = [401, 403]
        return operation
    }

    // MARK: What the service tells about itself

    static let published = [
        read(Routes.Users.keys, "keySet", "The keys that tokens are signed with", "application/jwk-set+json", "KeySet"),
        metadata(Routes.Users.metadata, "metadata", "What this service can do (RFC 8414)"),
        metadata(Routes.Users.openIDMetadata, "openIDMetadata", "The same, where OpenID Connect looks for it"),
        openAPI,
        documentPage,
    ]

    private static func read(
        _ path: String,
        _ name: String,
        _ summary: String,
        _ type: String,
        _ schema: String
    ) -> APIOperation {
        var operation = APIOperation(.get, path, name, tag: Tag.published, summary)
        operation.answers = [.typed(200, type, .named(schema), "it")]
        return operation
    }

    private static func metadata(_ path: String, _ name: String, _ summary: String) -> APIOperation {
        var operation = APIOperation(.get, path, name, tag: Tag.published, summary)
        let schema = Schema.object([
            "issuer": .url, "authorization_endpoint": .url, "token_endpoint": .url, "jwks_uri": .url,
            "scopes_supported": .list(.text()), "grant_types_supported": .list(.text()),
        ])
        operation.answers = [.json(200, schema, "the metadata")]
        return operation
    }

    private static var openAPI: APIOperation {
        var operation = APIOperation(.get, Routes.Users.openAPI, "openAPI", tag: Tag.published, "This document")
        operation.answers = [.json(200, .object(["openapi": .constant("3.1.0")]), "OpenAPI 3.1")]
        return operation
    }

    private static var documentPage: APIOperation {
        page(.get, Routes.Users.documentation, "documentation", "This document, for people", tag: Tag.published)
    }
}
