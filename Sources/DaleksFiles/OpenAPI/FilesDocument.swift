import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService

/// What a files service offers, in one place: `/openapi.json` and `/docs` are made of it, and a test compares it with
/// the routes.
enum FilesDocument {
    static let document = APIDocument(
        title: "Daleks files service",
        version: Version.current,
        about: """
            One region's files: trees, contents, rights, and a feed of what changes. Bodies are JSON unless an \
            operation says otherwise; members that are not described may be there and are to be ignored. Failures are \
            `application/problem+json` (RFC 9457) with a stable `code`. What the caller may not see is 404; what it \
            may see but not do is 403.
            """,
        securitySchemes: [
            Access.reader: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "An access token (RFC 9068) for this region whose scope has files:read.",
            ],
            Access.writer: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "As reader, with files:write.",
            ],
        ],
        schemas: FilesSchemas.all,
        tags: [
            Tag.published: "What the service tells about itself",
            Tag.items: "Files and folders, for programs that are no file systems",
            Tag.uploads: "Resumable uploads (tus 1.0)",
            Tag.sharing: "Who may do what",
            Tag.links: "What can be read without an account",
            Tag.versions: "Earlier contents, and what was removed",
            Tag.sync: "What a mount asks: trees, mutations, chunks, changes",
            Tag.operation: "For operators and their machines",
        ],
        operations: published + items + paths + lookups + uploads + sharing + transfers + links + visits + versions
            + sync + leases
            + operation
    )

    enum Access {
        static let reader = "reader"
        static let writer = "writer"
    }

    enum Tag {
        static let published = "Published"
        static let items = "Items"
        static let uploads = "Uploads"
        static let sharing = "Sharing"
        static let links = "Links"
        static let versions = "Versions"
        static let sync = "Sync"
        static let operation = "Operation"
    }

    /// The operation at a pattern; what its pattern names are its first parameters.
    static func ask(
        _ method: HTTPMethod,
        _ pattern: String,
        _ name: String,
        _ tag: String,
        _ access: String?,
        _ summary: String,
        parameters: [APIOperation.Parameter] = [],
        body: APIOperation.Body? = nil,
        answers: [APIOperation.Answer],
        problems: [Int] = []
    ) -> APIOperation {
        var operation = APIOperation(method, pattern, name, tag: tag, summary)
        let named = pattern.split(separator: "/").filter { $0.hasPrefix(":") || $0.hasPrefix("*") }
        operation.parameters = named.map { parameter(String($0.dropFirst()), in: pattern) } + parameters
        operation.body = body
        operation.answers = answers
        operation.problems = problems
        if !operation.parameters.isEmpty || body != nil { operation.problems.append(400) }
        if body != nil { operation.problems += [413, 415] }
        if let access {
            operation.access = [access]
            operation.problems += [401, 403, 429]
        }
        return operation
    }

    private static func parameter(_ name: String, in pattern: String) -> APIOperation.Parameter {
        switch name {
        case "id":
            let of = pattern.hasPrefix("/v1/uploads") ? "the upload" : "the file or folder"
            if pattern.hasPrefix("/v1/transfers") { return .path(name, .id, "the offer") }
            return .path(name, .id, pattern.hasPrefix("/v1/links") ? "the link" : of)
        case "user": return .path(name, .id, "the user")
        case "revision": return .path(name, .integer(0...Int64.max), "which content: its revision")
        case "index": return .path(name, .integer(0...Int64.max), "which span")
        case "digest": return .path(name, FilesSchemas.digest, "SHA-256 of the chunk")
        case "path": return .path(name, FilesSchemas.path, "names, each percent-encoded, with slashes between them")
        case "token": return .path(name, .text(1...128), "what the link's URL holds")
        default: return .path(name, .text(1...128), "as the URL was given out")
        }
    }

    /// A list in pages.
    static func page(_ element: String, after: Schema = .id) -> [APIOperation.Parameter] {
        [
            .query("after", after, "the former page's `next`"),
            .query("limit", .integer(1...Int64.max), "how many \(element) at most"),
        ]
    }

    // MARK: About itself

    private static let published = [
        ask(
            .get,
            Routes.Files.capabilities,
            "capabilities",
            Tag.published,
            nil,
            "What this region can do, and how much of it at once",
            answers: [.json(200, .named("Capabilities"), "it")]
        ),
        ask(
            .get,
            Routes.Files.openAPI,
            "openAPI",
            Tag.published,
            nil,
            "This document",
            answers: [.json(200, .object(["openapi": .constant("3.1.0")]), "OpenAPI 3.1")]
        ),
        ask(
            .get,
            Routes.Files.documentation,
            "documentation",
            Tag.published,
            nil,
            "This document, for people",
            answers: [.content(200, "text/html; charset=utf-8", "a page")]
        ),
    ]

    private static let operation = [
        text("/livez", "livez", "Whether the process is alive", "text/plain; charset=utf-8"),
        text("/readyz", "readyz", "Whether it can do its work", "text/plain; charset=utf-8"),
        text("/metrics", "metrics", "Numbers, as Prometheus reads them", "text/plain; version=0.0.4; charset=utf-8"),
    ]

    private static func text(_ path: String, _ name: String, _ summary: String, _ type: String) -> APIOperation {
        ask(.get, path, name, Tag.operation, nil, summary, answers: [.content(200, type, "it")], problems: [503])
    }
}
