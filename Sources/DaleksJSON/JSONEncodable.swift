public import DaleksCore

/// What can write itself as JSON, without a tree of values in between.
public protocol JSONEncodable {
    func encode(to writer: inout JSONWriter)
}

/// What can be read from a JSON value.
public protocol JSONDecodable {
    init(json: JSONValue) throws(JSONError)
}

extension JSONEncodable {
    public var jsonBytes: [UInt8] {
        var writer = JSONWriter()
        encode(to: &writer)
        return writer.bytes
    }
}

extension JSONValue: JSONEncodable, JSONDecodable {
    public func encode(to writer: inout JSONWriter) { writer.value(self) }
    public init(json: JSONValue) { self = json }
}

extension JSONObject: JSONEncodable, JSONDecodable {
    public func encode(to writer: inout JSONWriter) { writer.value(.object(self)) }
    public init(json: JSONValue) throws(JSONError) { self = try JSONReader(json).objectValue() }
}

extension String: JSONEncodable {
    public func encode(to writer: inout JSONWriter) { writer.string(self) }
}

extension Bool: JSONEncodable {
    public func encode(to writer: inout JSONWriter) { writer.bool(self) }
}

extension Int: JSONEncodable {
    public func encode(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Int64: JSONEncodable {
    public func encode(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Double: JSONEncodable {
    public func encode(to writer: inout JSONWriter) { writer.double(self) }
}

extension Identifier: JSONEncodable {
    public func encode(to writer: inout JSONWriter) { writer.string(description) }
}

extension Digest: JSONEncodable {
    public func encode(to writer: inout JSONWriter) { writer.string(description) }
}

extension Array: JSONEncodable where Element: JSONEncodable {
    public func encode(to writer: inout JSONWriter) {
        writer.beginArray()
        for element in self { element.encode(to: &writer) }
        writer.endArray()
    }
}

extension JSONWriter {
    /// One member.
    public mutating func member(_ name: String, _ value: some JSONEncodable) {
        key(name)
        value.encode(to: &self)
    }

    /// One member, or nothing where there is no value.
    public mutating func member(_ name: String, ifPresent value: (some JSONEncodable)?) {
        guard let value else { return }
        member(name, value)
    }

    /// An object whose members `body` writes.
    public mutating func object<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginObject()
        try body(&self)
        endObject()
    }

    /// An array whose elements `body` writes.
    public mutating func array<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginArray()
        try body(&self)
        endArray()
    }
}
