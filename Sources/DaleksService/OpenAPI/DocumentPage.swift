import DaleksHTTP
import DaleksJSON

/// A document as a page: each operation folded, with what it takes and gives.
public struct DocumentPage {
    private let document: APIDocument
    private let components: JSONObject

    public init(_ document: APIDocument) {
        self.document = document
        components = document.json(server: "")
    }

    public var body: HTML {
        let sections = document.tags.map { tag -> HTML in
            let operations = document.operations.filter { $0.tag == tag.key }.map(operation)
            return "<h2>\(tag.key)</h2><p>\(tag.value)</p>\(operations)"
        }
        let schemas = document.schemas.map { schema -> HTML in
            """
            <details id="\(schema.key)"><summary><code>\(schema.key)</code></summary>
            <pre><code>\(Self.pretty(.object(schema.value.json)))</code></pre></details>
            """
        }
        return "<p>\(document.about)</p>\(sections)<h2>Bodies</h2>\(schemas)"
    }

    private func operation(_ operation: APIOperation) -> HTML {
        let facts = facts(operation)
        return """
            <details id="\(operation.name)"><summary><code>\(operation.method.rawValue) \(operation.path)</code>
            \(operation.summary)</summary>
            \(HTML.when(operation.about != nil, "<p>\(operation.about ?? "")</p>"))
            <p class="hint">\(Self.access(operation))</p>
            <pre><code>\(Self.pretty(facts))</code></pre></details>
            """
    }

    /// Parameters, body and answers, as the document has them.
    private func facts(_ operation: APIOperation) -> JSONValue {
        guard case .object(let paths)? = components["paths"], case .object(let item)? = paths[operation.path],
            case .object(let json)? = item[operation.method.rawValue.lowercased()]
        else { return .null }
        var facts = JSONObject()
        for name in ["parameters", "requestBody", "responses"] { facts[name] = json[name] }
        return .object(facts)
    }

    private static func access(_ operation: APIOperation) -> String {
        if operation.access.isEmpty { return "Anybody may ask." }
        let ways = operation.access.joined(separator: " or ")
        return operation.isAccessOptional ? "Asked with: \(ways), or in the form." : "Asked with: \(ways)."
    }

    private static func pretty(_ value: JSONValue, _ indent: String = "") -> String {
        let inner = indent + "  "
        switch value {
        case .object(let object) where !object.isEmpty:
            let members = object.members.map { "\(inner)\($0.key): \(pretty($0.value, inner))" }
            return "{\n" + members.joined(separator: "\n") + "\n\(indent)}"
        case .array(let elements) where elements.contains { if case .object = $0 { true } else { false } }:
            return "[\n" + elements.map { inner + pretty($0, inner) }.joined(separator: "\n") + "\n\(indent)]"
        default: return value.text
        }
    }
}
