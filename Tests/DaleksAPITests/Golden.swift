import DaleksJSON
import Testing

/// A value of the wire and the body that it is, fixed for good: devices in the field keep journals of such bodies, and
/// regions answer clients of every age.
struct Golden: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let body: JSONValue
    /// Members without which the body reads all the same, by their path without positions: `user.name`.
    let optional: Set<String>
    /// Members that are written for others and that our own reader does not look at.
    let unread: Set<String>
    /// Members that are missed by another name, since another would have done as well.
    let missedAs: [String: String]
    let encoded: [UInt8]
    /// Whether it reads as the very value.
    let readsAlike: @Sendable (JSONValue) throws -> Bool

    init<Value: JSONEncodable & JSONDecodable & Equatable & Sendable>(
        _ value: Value,
        _ text: String,
        optional: Set<String> = [],
        unread: Set<String> = [],
        missedAs: [String: String] = [:]
    ) {
        guard let body = try? JSONValue.parse(text) else { preconditionFailure("a golden body is no JSON: \(text)") }
        self.body = body
        self.optional = optional
        self.unread = unread
        self.missedAs = missedAs
        testDescription = "\(Value.self) \(body.text.prefix(60))"
        encoded = value.jsonBytes
        readsAlike = { json in try Value(json: json) == value }
    }
}

/// The way to a place in a body.
enum Step: Equatable {
    case member(String)
    case element(Int)
}

extension [Step] {
    /// Without positions: what stands in one element stands in all.
    var name: String {
        compactMap { step in
            if case .member(let key) = step { key } else { nil }
        }.joined(separator: ".")
    }

    var lastKey: String {
        for case .member(let key) in reversed() { return key }
        return ""
    }
}

extension JSONValue {
    /// The ways to everything that is in it.
    var places: [[Step]] {
        switch self {
        case .object(let object):
            object.members.flatMap { member in
                [[.member(member.key)]] + member.value.places.map { [.member(member.key)] + $0 }
            }
        case .array(let elements):
            elements.indices.flatMap { index in
                [[.element(index)]] + elements[index].places.map { [.element(index)] + $0 }
            }
        case .null, .bool, .integer, .double, .string: []
        }
    }

    subscript(place: some Collection<Step>) -> JSONValue? {
        guard let step = place.first else { return self }
        switch (self, step) {
        case (.object(let object), .member(let key)): return object[key]?[place.dropFirst()]
        case (.array(let elements), .element(let index)): return elements[index][place.dropFirst()]
        default: return nil
        }
    }

    /// The same with another value there; nil takes the member away.
    func changing(_ place: some Collection<Step>, to value: JSONValue?) -> JSONValue {
        guard let step = place.first else { return value ?? .null }
        let rest = place.dropFirst()
        switch (self, step) {
        case (.object(var object), .member(let key)):
            object[key] = rest.isEmpty ? value : object[key]?.changing(rest, to: value)
            return .object(object)
        case (.array(var elements), .element(let index)):
            elements[index] = elements[index].changing(rest, to: value)
            return .array(elements)
        default: return self
        }
    }

    /// The same with a member in every object that no version of ours has.
    var withUnknownMembers: JSONValue {
        switch self {
        case .object(let object):
            var wider = JSONObject(object.members.map { ($0.key, $0.value.withUnknownMembers) })
            wider["of_a_later_version"] = ["x": [1, nil, "y"]]
            return .object(wider)
        case .array(let elements): return .array(elements.map(\.withUnknownMembers))
        case .null, .bool, .integer, .double, .string: return self
        }
    }

    /// Something of another type.
    var mistyped: JSONValue {
        switch self {
        case .string: 7
        case .null, .bool, .integer, .double, .array, .object: "x"
        }
    }
}
