import DaleksCore

/// The path and query that a request line names, decoded once, strictly, so that nothing behind it decodes again.
public struct RequestTarget: Sendable, Equatable {
    /// Decoded names between the slashes. None is empty (but for a last one, where the path ends in a slash), `.`
    /// or `..`, and none holds a slash or a NUL. The root has none.
    public let segments: [String]
    public let query: QueryItems
    /// `*`, which only OPTIONS may ask for.
    public let isAsterisk: Bool

    /// `/` and the segments, decoded: for people and logs. Compare segments, not this.
    public var path: String { isAsterisk ? "*" : "/" + segments.joined(separator: "/") }

    public init(segments: [String], query: QueryItems = QueryItems()) {
        self.segments = segments
        self.query = query
        isAsterisk = false
    }

    /// Reads the origin form (`/a?b`), the absolute form (`http://host/a?b`) and `*`.
    public init(parsing raw: String) throws(APIError) {
        if raw == "*" {
            segments = []
            query = QueryItems()
            isAsterisk = true
            return
        }
        var rest = raw[...].utf8
        for byte in rest where byte <= 0x20 || byte == 0x7f || byte == UInt8(ascii: "#") {
            throw .malformed("the request target holds a character that a URL cannot")
        }
        if rest.first != UInt8(ascii: "/") { rest = try Self.afterAuthority(of: rest) }
        let question = rest.firstIndex(of: UInt8(ascii: "?"))
        let path = question.map { rest[..<$0] } ?? rest
        segments = try Self.segments(of: path)
        query = try QueryItems(parsing: question.map { Substring(rest[rest.index(after: $0)...]) } ?? "")
        isAsterisk = false
    }

    private static func afterAuthority(of target: Substring.UTF8View) throws(APIError) -> Substring.UTF8View {
        for scheme in ["http://", "https://"] where target.count > scheme.utf8.count {
            let prefix = Substring(target.prefix(scheme.utf8.count))
            guard HTTPGrammar.equalIgnoringCase(String(prefix), scheme) else { continue }
            let authority = target.dropFirst(scheme.utf8.count)
            let end = authority.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
            guard end != authority.startIndex else { break }
            return end.map { authority[$0...] } ?? authority[authority.endIndex...]
        }
        throw .malformed("the request target is neither a path nor a URL")
    }

    private static func segments(of path: Substring.UTF8View) throws(APIError) -> [String] {
        guard path.count > 1 else { return [] }
        var segments: [String] = []
        var start = path.index(after: path.startIndex)
        while true {
            guard segments.count < Limits.HTTP.pathSegmentsMax else { throw .malformed("the path is too deep") }
            let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
            segments.append(try segment(path[start..<end], isLast: end == path.endIndex))
            if end == path.endIndex { return segments }
            start = path.index(after: end)
        }
    }

    private static func segment(_ encoded: Substring.UTF8View, isLast: Bool) throws(APIError) -> String {
        guard !encoded.isEmpty || isLast else { throw .malformed("the path has an empty segment") }
        // What came in is valid UTF-8 already, so only what was encoded needs a second look.
        let decoded: String
        if encoded.contains(UInt8(ascii: "%")) {
            guard let text = PercentEncoding.decode(bytes: encoded, plusIsSpace: false) else {
                throw .malformed("the path is not valid percent-encoded UTF-8")
            }
            guard !text.utf8.contains(UInt8(ascii: "/")) else { throw .malformed("a path segment holds a slash") }
            decoded = text
        } else {
            decoded = String(Substring(encoded))
        }
        guard decoded != ".", decoded != ".." else { throw .malformed("the path holds a dot segment") }
        return decoded
    }
}
