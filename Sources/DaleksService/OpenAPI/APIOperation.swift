public import DaleksHTTP

/// One request that a service answers, for its document.
public struct APIOperation: Sendable {
    public struct Parameter: Sendable {
        public enum Place: String, Sendable { case path, query, header }

        let name: String
        let place: Place
        let schema: Schema
        let isRequired: Bool
        let about: String

        public static func path(_ name: String, _ schema: Schema, _ about: String) -> Parameter {
            Parameter(name: name, place: .path, schema: schema, isRequired: true, about: about)
        }

        public static func query(
            _ name: String,
            _ schema: Schema,
            _ about: String,
            isRequired: Bool = false
        ) -> Parameter {
            Parameter(name: name, place: .query, schema: schema, isRequired: isRequired, about: about)
        }

        public static func header(
            _ name: String,
            _ schema: Schema,
            _ about: String,
            isRequired: Bool = false
        ) -> Parameter {
            Parameter(name: name, place: .header, schema: schema, isRequired: isRequired, about: about)
        }
    }

    public struct Body: Sendable {
        let type: String
        let schema: Schema
        var isRequired = true

        public static func json(_ schema: Schema) -> Body { Body(type: "application/json", schema: schema) }

        public static func form(_ schema: Schema) -> Body {
            Body(type: "application/x-www-form-urlencoded", schema: schema)
        }

        public static func typed(_ type: String, _ schema: Schema, isRequired: Bool = true) -> Body {
            Body(type: type, schema: schema, isRequired: isRequired)
        }
    }

    /// An answer that is not a failure, or one that has a shape of its own.
    public struct Answer: Sendable {
        let status: Int
        let about: String
        let type: String?
        let schema: Schema?

        public static func json(_ status: Int, _ schema: Schema, _ about: String) -> Answer {
            Answer(status: status, about: about, type: "application/json", schema: schema)
        }

        public static func content(_ status: Int, _ type: String, _ about: String) -> Answer {
            Answer(status: status, about: about, type: type, schema: .text())
        }

        public static func typed(_ status: Int, _ type: String, _ schema: Schema, _ about: String) -> Answer {
            Answer(status: status, about: about, type: type, schema: schema)
        }

        public static func empty(_ status: Int, _ about: String) -> Answer {
            Answer(status: status, about: about, type: nil, schema: nil)
        }
    }

    /// How a value of this answer is used in another request.
    public struct Link: Sendable {
        let name: String
        let operation: String
        let parameter: String
        let value: String

        public init(_ name: String, to operation: String, parameter: String, value: String) {
            self.name = name
            self.operation = operation
            self.parameter = parameter
            self.value = value
        }
    }

    public let method: HTTPMethod
    /// As the router has it: `/v1/nodes/:id`.
    public let pattern: String
    public let name: String
    public let tag: String
    public let summary: String
    public var about: String?
    /// The names of the ways to prove who asks, any of which will do; none: anybody may ask.
    public var access: [String] = []
    /// Whether one may also ask without any of them.
    public var isAccessOptional = false
    public var parameters: [Parameter] = []
    public var body: Body?
    public var answers: [Answer] = []
    /// Failures that say no as problems; all others may happen, too.
    public var problems: [Int] = []
    public var links: [Link] = []

    public init(_ method: HTTPMethod, _ pattern: String, _ name: String, tag: String, _ summary: String) {
        self.method = method
        self.pattern = pattern
        self.name = name
        self.tag = tag
        self.summary = summary
    }

    /// `/v1/nodes/{id}`.
    public var path: String {
        pattern.split(separator: "/", omittingEmptySubsequences: false).map { segment in
            guard let mark = segment.first, mark == ":" || mark == "*" else { return String(segment) }
            return "{\(segment.dropFirst())}"
        }.joined(separator: "/")
    }
}
