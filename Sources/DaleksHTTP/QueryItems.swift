public import DaleksCore

/// The parameters of a query or of a form, in order; a name that stands twice is seen twice.
public struct QueryItems: Sendable, Equatable {
    public struct Item: Sendable, Equatable {
        public let name: String
        public let value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public private(set) var all: [Item]

    public init(_ items: [Item] = []) { all = items }

    /// Reads `a=1&b=2`. Throws for broken percent-encoding, invalid UTF-8, NUL, and too many of them.
    public init(parsing text: some StringProtocol) throws(APIError) {
        all = []
        guard !text.isEmpty else { return }
        for part in Array(text.utf8).split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
            guard all.count < Limits.HTTP.queryItemsMax else { throw .malformed("the query has too many parameters") }
            let equals = part.firstIndex(of: UInt8(ascii: "="))
            let name = equals.map { part[..<$0] } ?? part
            let value = equals.map { part[part.index(after: $0)...] } ?? part[part.endIndex...]
            guard let name = PercentEncoding.decode(bytes: name, plusIsSpace: true),
                let value = PercentEncoding.decode(bytes: value, plusIsSpace: true)
            else { throw .malformed("the query is not valid percent-encoded UTF-8") }
            all.append(Item(name: name, value: value))
        }
    }

    public var isEmpty: Bool { all.isEmpty }

    /// The first value of that name.
    public subscript(name: String) -> String? { all.first { $0.name == name }?.value }

    public func values(_ name: String) -> [String] { all.filter { $0.name == name }.map(\.value) }

    /// The one value of that name, nil where it is absent. Throws where it stands twice: two readers of the same
    /// request must not choose differently.
    public func only(_ name: String) throws(APIError) -> String? {
        let values = values(name)
        guard values.count <= 1 else { throw .malformed("the parameter \(name) stands more than once") }
        return values.first
    }

    public func integer(_ name: String, in range: ClosedRange<Int64>) throws(APIError) -> Int64? {
        guard let text = try only(name) else { return nil }
        guard let value = Int64(text), range.contains(value) else {
            throw .malformed(
                "the parameter \(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    public func flag(_ name: String) throws(APIError) -> Bool? {
        switch try only(name) {
        case nil: nil
        case "true", "1", "": true
        case "false", "0": false
        default: throw .malformed("the parameter \(name) must be true or false")
        }
    }

    public func identifier<Kind>(_ name: String, _ kind: Kind.Type = Kind.self) throws(APIError) -> Identifier<Kind>? {
        guard let text = try only(name) else { return nil }
        guard let identifier = Identifier<Kind>(text) else {
            throw .malformed("the parameter \(name) is no identifier")
        }
        return identifier
    }

    /// `a=1&b=2`, percent-encoded.
    public var encoded: String {
        all.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
    }
}
