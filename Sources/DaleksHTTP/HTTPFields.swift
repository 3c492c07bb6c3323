/// Header fields in the order they came. Names compare without case; one name may stand several times.
///
/// A name that is no token and a value with a control character (CR, LF and NUL above all) never get in: whatever
/// text ends up in a field, it cannot start another field or another message.
public struct HTTPFields: Sendable, Equatable {
    public struct Field: Sendable, Equatable {
        public let name: String
        public let value: String
    }

    public private(set) var all: [Field]

    public init() { all = [] }

    public var isEmpty: Bool { all.isEmpty }
    public var count: Int { all.count }

    /// The first value of that name. Setting replaces every field of the name; nil removes them.
    public subscript(name: String) -> String? {
        get { all.first { HTTPGrammar.equalIgnoringCase($0.name, name) }?.value }
        set {
            if let newValue { set(name, newValue) } else { remove(name) }
        }
    }

    public func contains(_ name: String) -> Bool { self[name] != nil }

    public func values(_ name: String) -> [String] {
        all.filter { HTTPGrammar.equalIgnoringCase($0.name, name) }.map(\.value)
    }

    /// Every value of the name joined by commas, as RFC 9110 (5.3) says lists may be read. Nil where there is none.
    public func list(_ name: String) -> String? {
        let values = values(name)
        return values.isEmpty ? nil : values.count == 1 ? values[0] : values.joined(separator: ", ")
    }

    /// Adds a field behind those that are there. False, and nothing changes, where name or value is not allowed.
    @discardableResult
    public mutating func append(_ name: String, _ value: String) -> Bool {
        guard Self.isName(name), Self.isValue(value) else { return false }
        all.append(Field(name: name, value: value))
        return true
    }

    /// Makes it the only field of its name. False, and nothing changes, where name or value is not allowed.
    @discardableResult
    public mutating func set(_ name: String, _ value: String) -> Bool {
        guard Self.isName(name), Self.isValue(value) else { return false }
        remove(name)
        all.append(Field(name: name, value: value))
        return true
    }

    public mutating func remove(_ name: String) {
        all.removeAll { HTTPGrammar.equalIgnoringCase($0.name, name) }
    }

    public mutating func reserveCapacity(_ count: Int) { all.reserveCapacity(count) }

    public static func isName(_ name: String) -> Bool {
        !name.isEmpty && HTTPGrammar.every(name, HTTPGrammar.isTokenByte)
    }

    /// No control character but the tab.
    public static func isValue(_ value: String) -> Bool {
        HTTPGrammar.every(value) { $0 >= 0x20 && $0 != 0x7f || $0 == UInt8(ascii: "\t") }
    }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
    /// For texts of our own; a field that is not allowed is left out.
    public init(dictionaryLiteral elements: (String, String)...) {
        all = []
        for (name, value) in elements { append(name, value) }
    }
}
