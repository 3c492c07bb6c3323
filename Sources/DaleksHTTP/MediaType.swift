/// What a Content-Type says: `text/plain; charset=utf-8`.
public struct MediaType: Sendable, Equatable {
    /// Lower case.
    public let type: String
    /// Lower case.
    public let subtype: String
    /// Names in lower case; values as they came, unquoted. No name stands twice.
    public let parameters: [(name: String, value: String)]

    public init?(_ text: String) {
        var parts = Self.split(text)[...]
        let names = parts.removeFirst().split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        guard names.count == 2, names.allSatisfy({ HTTPFields.isName($0) }) else { return nil }
        var parameters: [(name: String, value: String)] = []
        for part in parts where !part.isEmpty {
            guard let equals = part.firstIndex(of: "=") else { return nil }
            let name = part[..<equals].lowercased()
            guard HTTPFields.isName(name), !parameters.contains(where: { $0.name == name }),
                let value = Self.unquoted(part[part.index(after: equals)...])
            else { return nil }
            parameters.append((name, value))
        }
        type = names[0].lowercased()
        subtype = names[1].lowercased()
        self.parameters = parameters
    }

    public subscript(name: String) -> String? { parameters.first { $0.name == name.lowercased() }?.value }

    /// `type/subtype` without parameters.
    public var essence: String { "\(type)/\(subtype)" }

    public static func == (left: MediaType, right: MediaType) -> Bool {
        left.type == right.type && left.subtype == right.subtype
            && left.parameters.elementsEqual(right.parameters, by: ==)
    }

    /// Cut at semicolons outside quotation marks, blanks trimmed. Never empty.
    private static func split(_ text: String) -> [Substring] {
        var parts: [Substring] = []
        var (isQuoted, isEscaped) = (false, false)
        var start = text.startIndex
        for index in text.indices {
            let character = text[index]
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == ";", !isQuoted {
                parts.append(HTTPGrammar.trimmed(text[start..<index]))
                start = text.index(after: index)
            }
        }
        parts.append(HTTPGrammar.trimmed(text[start...]))
        return parts
    }

    /// A token as it is; a quoted string without its marks and backslashes.
    private static func unquoted(_ text: Substring) -> String? {
        guard text.hasPrefix("\"") else { return HTTPFields.isName(String(text)) ? String(text) : nil }
        guard text.count >= 2, text.hasSuffix("\"") else { return nil }
        var value = ""
        var isEscaped = false
        for character in text.dropFirst().dropLast() {
            if !isEscaped, character == "\\" {
                isEscaped = true
                continue
            }
            if !isEscaped, character == "\"" { return nil }
            value.append(character)
            isEscaped = false
        }
        return isEscaped ? nil : value
    }
}
