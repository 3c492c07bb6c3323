import DaleksHTTP
public import DaleksJSON

/// What a service offers, as OpenAPI 3.1 and for people: written once, from the operations that a test compares with
/// the router.
public struct APIDocument: Sendable {
    public let title: String
    public let version: String
    public let about: String
    /// Ways to prove who asks, in OpenAPI's words.
    public let securitySchemes: KeyValuePairs<String, JSONObject>
    public let schemas: KeyValuePairs<String, Schema>
    public let tags: KeyValuePairs<String, String>
    public let operations: [APIOperation]

    public init(
        title: String,
        version: String,
        about: String,
        securitySchemes: KeyValuePairs<String, JSONObject>,
        schemas: KeyValuePairs<String, Schema>,
        tags: KeyValuePairs<String, String>,
        operations: [APIOperation]
    ) {
        self.title = title
        self.version = version
        self.about = about
        self.securitySchemes = securitySchemes
        self.schemas = schemas
        self.tags = tags
        self.operations = operations
    }

    /// The document, for the service at this address.
    public func json(server: String) -> JSONObject {
        var paths = JSONObject()
        for operation in operations {
            var item: JSONObject = if case .object(let known)? = paths[operation.path] { known } else { [:] }
            item[operation.method.rawValue.lowercased()] = .object(Self.json(operation))
            paths[operation.path] = .object(item)
        }
        var components = JSONObject()
        var named = JSONObject()
        for (name, schema) in schemas { named[name] = .object(schema.json) }
        named["Problem"] = .object(Self.problem.json)
        components["schemas"] = .object(named)
        var schemes = JSONObject()
        for (name, scheme) in securitySchemes { schemes[name] = .object(scheme) }
        components["securitySchemes"] = .object(schemes)
        return [
            "openapi": "3.1.0",
            "info": ["title": .string(title), "version": .string(version), "description": .string(about)],
            "servers": [["url": .string(server)]],
            "tags": .array(tags.map { ["name": .string($0.key), "description": .string($0.value)] }),
            "paths": .object(paths),
            "components": .object(components),
        ]
    }

    private static let problem = Schema.object(
        [
            "type": .text(), "title": .text(), "status": .integer(400...599), "code": .text(pattern: "^[a-z_]+$"),
            "detail": .text(), "request_id": .text(),
        ]
    ).described("RFC 9457; `code` is what programs decide by")

    private static func json(_ operation: APIOperation) -> JSONObject {
        var json: JSONObject = [
            "operationId": .string(operation.name), "tags": [.string(operation.tag)],
            "summary": .string(operation.summary),
        ]
        if let about = operation.about { json["description"] = .string(about) }
        if !operation.parameters.isEmpty { json["parameters"] = .array(operation.parameters.map { Self.json($0) }) }
        if let body = operation.body {
            json["requestBody"] = [
                "required": .bool(body.isRequired), "content": [body.type: ["schema": .object(body.schema.json)]],
            ]
        }
        let access: [JSONValue] = operation.access.map { .object([$0: []]) }
        json["security"] = .array(operation.isAccessOptional ? access + [.object([:])] : access)
        json["responses"] = .object(responses(operation))
        return json
    }

    private static func json(_ parameter: APIOperation.Parameter) -> JSONValue {
        [
            "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
            "required": .bool(parameter.isRequired), "description": .string(parameter.about),
            "schema": .object(parameter.schema.json),
        ]
    }

    private static func responses(_ operation: APIOperation) -> JSONObject {
        var responses = JSONObject()
        for answer in operation.answers {
            var json: JSONObject = if case .object(let known)? = responses[String(answer.status)] { known } else { [:] }
            json["description"] = .string(answer.about)
            if let type = answer.type, let schema = answer.schema {
                var content: JSONObject = if case .object(let known)? = json["content"] { known } else { [:] }
                content[type] = ["schema": .object(schema.json)]
                json["content"] = .object(content)
            }
            if !operation.links.isEmpty, (200..<300).contains(answer.status) {
                json["links"] = .object(links(operation))
            }
            responses[String(answer.status)] = .object(json)
        }
        let problem: JSONValue = [APIError.problemMediaType: ["schema": ["$ref": "#/components/schemas/Problem"]]]
        for status in operation.problems {
            responses[String(status)] = [
                "description": .string(HTTPStatus(status).reasonPhrase), "content": problem,
            ]
        }
        responses["default"] = ["description": "Any other failure", "content": problem]
        return responses
    }

    private static func links(_ operation: APIOperation) -> JSONObject {
        var links = JSONObject()
        for link in operation.links {
            links[link.name] = [
                "operationId": .string(link.operation), "parameters": [link.parameter: .string(link.value)],
            ]
        }
        return links
    }
}
