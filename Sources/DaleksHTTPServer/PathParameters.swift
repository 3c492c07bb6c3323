public import DaleksCore
public import DaleksHTTP

/// What stood in a path where its pattern has names.
public struct PathParameters: Sendable {
    private var values: [(name: String, value: String)]
    /// The segments under a pattern's `*name`; empty where it has none or the path ended there.
    public let rest: [String]

    init(values: [(name: String, value: String)] = [], rest: [String] = []) {
        self.values = values
        self.rest = rest
    }

    public subscript(name: String) -> String? { values.first { $0.name == name }?.value }

    /// The parameter's text. A name that the pattern lacks is our mistake, not the client's.
    public func text(_ name: String) throws(APIError) -> String {
        guard let value = self[name] else { throw .internalError("the route lacks a parameter") }
        return value
    }

    public func identifier<Kind>(_ name: String, _ kind: Kind.Type = Kind.self) throws(APIError) -> Identifier<Kind> {
        guard let identifier = Identifier<Kind>(try text(name)) else {
            throw .malformed("\(name) in the path is no identifier")
        }
        return identifier
    }

    public func integer(_ name: String, in range: ClosedRange<Int64> = 0...Int64.max) throws(APIError) -> Int64 {
        guard let value = Int64(try text(name)), range.contains(value) else {
            throw .malformed(
                "\(name) in the path must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// A path segment as a file name.
    public func name(_ name: String) throws(APIError) -> Name {
        let text = try text(name)
        do { return try Name(text) } catch { throw .malformed("\(name) in the path is no file name") }
    }
}
