import DaleksCore

/// The name of one state of a resource (RFC 9110, 8.8.3).
public struct EntityTag: Hashable, Sendable {
    /// Without the quotation marks.
    public let opaque: String
    public let isWeak: Bool

    /// Nil where the text holds what a tag cannot: quotation marks, spaces, control characters.
    public init?(_ opaque: String, isWeak: Bool = false) {
        guard opaque.utf8.allSatisfy(Self.isTagByte) else { return nil }
        self.opaque = opaque
        self.isWeak = isWeak
    }

    /// Reads `"x"` or `W/"x"`.
    public init?(parsing text: some StringProtocol) {
        var rest = Substring(text)
        let isWeak = rest.hasPrefix("W/")
        if isWeak { rest = rest.dropFirst(2) }
        guard rest.utf8.count >= 2, rest.hasPrefix("\""), rest.hasSuffix("\"") else { return nil }
        self.init(String(rest.dropFirst().dropLast()), isWeak: isWeak)
    }

    /// As it stands in a header field.
    public var text: String { isWeak ? "W/\"\(opaque)\"" : "\"\(opaque)\"" }

    /// Byte for byte the same content.
    public func matchesStrongly(_ other: EntityTag) -> Bool { !isWeak && !other.isWeak && opaque == other.opaque }

    /// As good as the same content.
    public func matchesWeakly(_ other: EntityTag) -> Bool { opaque == other.opaque }

    private static func isTagByte(_ byte: UInt8) -> Bool { byte > 0x20 && byte != UInt8(ascii: "\"") && byte != 0x7f }
}

extension EntityTag: CustomStringConvertible {
    public var description: String { text }
}

/// What If-Match and If-None-Match list.
enum EntityTagList {
    case any
    case tags([EntityTag])

    /// Nil where the text is no such list; then its condition cannot be met.
    init?(parsing text: String) {
        let trimmed = HTTPGrammar.trimmed(text[...])
        if trimmed == "*" {
            self = .any
            return
        }
        var tags: [EntityTag] = []
        var rest = trimmed
        while !rest.isEmpty {
            guard tags.count < Limits.HTTP.entityTagsMax, let open = rest.firstIndex(of: "\"") else { return nil }
            guard let close = rest[rest.index(after: open)...].firstIndex(of: "\"") else { return nil }
            guard let tag = EntityTag(parsing: HTTPGrammar.trimmed(rest[...close])) else { return nil }
            tags.append(tag)
            rest = HTTPGrammar.trimmed(rest[rest.index(after: close)...])
            guard rest.isEmpty || rest.hasPrefix(",") else { return nil }
            rest = HTTPGrammar.trimmed(rest.dropFirst())
        }
        guard !tags.isEmpty else { return nil }
        self = .tags(tags)
    }
}
