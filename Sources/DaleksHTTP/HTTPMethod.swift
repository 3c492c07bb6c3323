/// What a request asks for. Names are case-sensitive, as HTTP has them.
public struct HTTPMethod: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public static let get = HTTPMethod(rawValue: "GET")
    public static let head = HTTPMethod(rawValue: "HEAD")
    public static let post = HTTPMethod(rawValue: "POST")
    public static let put = HTTPMethod(rawValue: "PUT")
    public static let patch = HTTPMethod(rawValue: "PATCH")
    public static let delete = HTTPMethod(rawValue: "DELETE")
    public static let options = HTTPMethod(rawValue: "OPTIONS")
    public static let trace = HTTPMethod(rawValue: "TRACE")
    public static let connect = HTTPMethod(rawValue: "CONNECT")

    /// Doing it twice is as good as doing it once (RFC 9110, 9.2.2), so a lost answer allows another try.
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        default: false
        }
    }

    /// It only looks (RFC 9110, 9.2.1).
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }

    /// The name is one that HTTP's grammar allows: a token.
    public var isWellFormed: Bool { !rawValue.isEmpty && rawValue.utf8.allSatisfy(HTTPGrammar.isTokenByte) }
}

extension HTTPMethod: CustomStringConvertible {
    public var description: String { rawValue }
}
