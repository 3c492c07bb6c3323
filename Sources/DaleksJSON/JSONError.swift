/// Why a text is not the JSON that was asked for. It never holds the text itself, which may be secret.
public struct JSONError: Error, Hashable, Sendable {
    public let message: String

    /// Where in the value: `$.items[3].name`.
    public let path: String

    /// Where in the text, for errors of the grammar; nil where the value was well formed but not what was wanted.
    public let offset: Int?

    public init(message: String, path: String = "$", offset: Int? = nil) {
        self.message = message
        self.path = path
        self.offset = offset
    }

    /// The same error seen from further up: `component` leads from there to this error's root.
    func under(_ parent: String) -> JSONError {
        JSONError(message: message, path: parent + path.dropFirst(), offset: offset)
    }
}

extension JSONError: CustomStringConvertible {
    public var description: String {
        guard let offset else { return "\(path): \(message)" }
        return "\(path): \(message) (at byte \(offset))"
    }
}
