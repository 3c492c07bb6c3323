import DaleksCore
import DaleksJSON
import DaleksService

/// What the users service offers, in one place: `/openapi.json` and `/docs` are made of it, and a test compares it with
/// the routes.
enum UsersDocument {
    static let document = APIDocument(
        title: "Daleks users service",
        version: Version.current,
        about: """
            Accounts, OAuth 2.1 and OpenID Connect, the directory of regions. Bodies are JSON unless an operation says \
            otherwise; members that are not described may be there and are to be ignored. Failures are \
            `application/problem+json` (RFC 9457) with a stable `code`, but at the OAuth endpoints, which answer as \
            RFC 6749 says.
            """,
        securitySchemes: [
            Access.bearer: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": .string(
                    "An access token of a session that goes on, for this service alone: its resource is the issuer. "
                        + "One for a region is refused."
                ),
            ],
            Access.manage: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "As bearer, of a program of this house.",
            ],
            Access.identity: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "An access token with the scope openid, for whatever it is.",
            ],
            Access.own: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": .string(
                    "As manage, of a session that the user began with the password itself (POST /v1/login), "
                        + "not with an app password and not for another program."
                ),
            ],
            Access.admin: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "As own, of somebody whose role is admin.",
            ],
            Access.service: [
                "type": "http", "scheme": "basic",
                "description": "A files service's id and secret, as its enrolment gave them.",
            ],
            Access.client: [
                "type": "http", "scheme": "basic",
                "description": .string(
                    "A client's id and secret, each form-encoded (RFC 6749, 2.3.1). They may stand in the form "
                        + "instead; a public client sends its client_id there."
                ),
            ],
        ],
        schemas: UsersSchemas.all,
        tags: [
            Tag.oauth: "OAuth 2.1 and OpenID Connect, for any program",
            Tag.published: "What the service tells about itself",
            Tag.coming: "Registering and logging in",
            Tag.me: "One's own account",
            Tag.people: "Looking others up",
            Tag.regions: "Regions, and what their files services ask",
            Tag.admin: "Administration",
            Tag.pages: "Pages for people; they work without scripts",
            Tag.operation: "For operators and their machines",
        ],
        operations: oauth + published + coming + me + factors + people + regions + administration + pages + operation
    )

    enum Access {
        static let bearer = "bearer"
        static let manage = "manage"
        static let identity = "identity"
        static let own = "own"
        static let admin = "admin"
        static let service = "service"
        static let client = "client"
    }

    enum Tag {
        static let oauth = "OAuth"
        static let published = "Published"
        static let coming = "Accounts"
        static let me = "Me"
        static let people = "People"
        static let regions = "Regions"
        static let admin = "Administration"
        static let pages = "Pages"
        static let operation = "Operation"
    }
}
