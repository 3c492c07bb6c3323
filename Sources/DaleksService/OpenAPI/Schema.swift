public import DaleksJSON

/// What a value may be, in the words of JSON Schema 2020-12 (which OpenAPI 3.1 uses).
public struct Schema: Sendable {
    public let json: JSONObject

    public init(_ json: JSONObject) { self.json = json }

    // MARK: Simple ones

    public static let any = Schema([:])
    public static let bool = Schema(["type": "boolean"])
    /// 128 bits, as all our ids.
    public static let id = Schema(["type": "string", "pattern": "^[0-9a-f]{32}$"])
    /// Nanoseconds since 1970.
    public static let time = Schema(["type": "integer", "format": "int64", "description": "nanoseconds since 1970 UTC"])
    /// Bytes as they are.
    public static let bytes = Schema(["type": "string", "format": "binary"])
    public static let url = Schema(["type": "string", "format": "uri"])

    public static func text(
        _ lengths: ClosedRange<Int>? = nil,
        pattern: String? = nil,
        example: String? = nil
    ) -> Schema {
        var json: JSONObject = ["type": "string"]
        if let lengths {
            json["minLength"] = .integer(Int64(lengths.lowerBound))
            json["maxLength"] = .integer(Int64(lengths.upperBound))
        }
        if let pattern { json["pattern"] = .string(pattern) }
        if let example { json["examples"] = [.string(example)] }
        return Schema(json)
    }

    public static func integer(_ range: ClosedRange<Int64>? = nil) -> Schema {
        var json: JSONObject = ["type": "integer", "format": "int64"]
        if let range {
            json["minimum"] = .integer(range.lowerBound)
            json["maximum"] = .integer(range.upperBound)
        }
        return Schema(json)
    }

    public static func one(of words: [String]) -> Schema {
        Schema(["type": "string", "enum": .array(words.map { .string($0) })])
    }

    public static func constant(_ word: String) -> Schema { Schema(["const": .string(word)]) }

    // MARK: Composed ones

    public static func list(_ element: Schema, countMax: Int? = nil) -> Schema {
        var json: JSONObject = ["type": "array", "items": .object(element.json)]
        if let countMax { json["maxItems"] = .integer(Int64(countMax)) }
        return Schema(json)
    }

    /// Members that are not named may be there, too: readers ignore what they do not know.
    public static func object(
        _ required: KeyValuePairs<String, Schema> = [:],
        optional: KeyValuePairs<String, Schema> = [:]
    ) -> Schema {
        var properties = JSONObject()
        for (name, schema) in required { properties[name] = .object(schema.json) }
        for (name, schema) in optional { properties[name] = .object(schema.json) }
        var json: JSONObject = ["type": "object", "properties": .object(properties)]
        if !required.isEmpty { json["required"] = .array(required.map { .string($0.key) }) }
        return Schema(json)
    }

    /// One that the document names.
    public static func named(_ name: String) -> Schema {
        Schema(["$ref": .string("#/components/schemas/\(name)")])
    }

    public static func all(of schemas: [Schema]) -> Schema {
        Schema(["allOf": .array(schemas.map { .object($0.json) })])
    }

    public static func exactlyOne(of schemas: [Schema]) -> Schema {
        Schema(["oneOf": .array(schemas.map { .object($0.json) })])
    }

    /// Null stands for absent.
    public var orNull: Schema {
        var copy = json
        if case .string(let type)? = json["type"] {
            copy["type"] = .array([.string(type), "null"])
            if case .array(let words)? = json["enum"] { copy["enum"] = .array(words + [.null]) }
            return Schema(copy)
        }
        return Schema(["anyOf": .array([.object(json), .object(["type": "null"])])])
    }

    public func described(_ text: String) -> Schema {
        var copy = json
        copy["description"] = .string(text)
        return Schema(copy)
    }
}
