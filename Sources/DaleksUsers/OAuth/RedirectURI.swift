import DaleksCore
import DaleksHTTP

/// Where a client wants people to come back to, as it was registered.
struct RedirectURI: Hashable, Sendable {
    let text: String
    /// Of an address of the machine itself that names no port: there any port will do (RFC 8252, 7.3), for a program
    /// takes the one that is free.
    private let freePort: FreePort?

    private struct FreePort: Hashable, Sendable {
        /// `http://127.0.0.1`
        let origin: String
        /// What follows the port.
        let rest: String
    }

    /// Nil where people must not be sent there: no scheme of ours, plain http to another machine, a fragment, a user's
    /// name, wildcards, or characters that a URI cannot have.
    init?(_ text: String) {
        guard (1...Limits.Users.redirectBytesMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && !Self.forbidden.contains($0) }),
            let colon = text.firstIndex(of: ":")
        else { return nil }
        let scheme = text[..<colon]
        let rest = text[text.index(after: colon)...]
        self.text = text
        switch scheme {
        case "https":
            guard let host = Self.host(rest), !host.name.isEmpty else { return nil }
            freePort = nil
        case "http":
            guard let host = Self.host(rest), Self.loopback.contains(host.name) else { return nil }
            // A name may be made to mean another machine; an address may not.
            let isFree = host.port == nil && host.name != "localhost"
            freePort = isFree ? FreePort(origin: "http://\(host.name)", rest: host.rest) : nil
        default:
            // A name that its owner holds, the other way round, as phones want it: `com.example.app:/callback`.
            guard scheme.contains("."), scheme.utf8.allSatisfy(Self.isSchemeByte), !rest.isEmpty else { return nil }
            freePort = nil
        }
    }

    /// Byte for byte the same; of a free port, with any.
    func matches(_ asked: String) -> Bool {
        if asked == text { return true }
        guard let freePort, asked.hasPrefix(freePort.origin + ":"), asked.hasSuffix(freePort.rest) else { return false }
        let port = asked.dropFirst(freePort.origin.utf8.count + 1).dropLast(freePort.rest.utf8.count)
        return (1...5).contains(port.utf8.count)
            && port.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && UInt16(port).map { $0 > 0 } == true
    }

    /// What a page may let its forms end up at: scheme and authority, or the scheme alone where there is none.
    static func origin(of uri: String) -> String {
        guard let colon = uri.firstIndex(of: ":") else { return "'none'" }
        let (scheme, rest) = (uri[..<colon], uri[uri.index(after: colon)...])
        guard scheme == "http" || scheme == "https" else { return "\(scheme):" }
        let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
        return "\(scheme)://\(authority)"
    }

    /// The URI with more parameters, whatever it has already.
    static func adding(_ items: [(String, String)], to uri: String) -> String {
        let query = items.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return uri + (uri.contains("?") ? "&" : "?") + query
    }

    private static let loopback = ["127.0.0.1", "[::1]", "localhost"]
    private static let forbidden = Set("#\"'<>\\^`{|}*".utf8)

    private static func host(_ text: Substring) -> (name: String, port: String?, rest: String)? {
        guard text.hasPrefix("//") else { return nil }
        let authority = text.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else { return nil }
        let rest = String(text.dropFirst(2 + authority.count))
        guard authority.hasPrefix("[") else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil, rest)
        }
        guard let end = authority.firstIndex(of: "]") else { return nil }
        let tail = authority[authority.index(after: end)...]
        guard tail.isEmpty || tail.hasPrefix(":") else { return nil }
        return (String(authority[...end]), tail.isEmpty ? nil : String(tail.dropFirst()), rest)
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"): true
        default: false
        }
    }
}
