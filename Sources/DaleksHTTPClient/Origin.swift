import DaleksCore

/// Scheme, host and port: what a connection belongs to, and the border that credentials do not cross.
///
/// The reading is narrower than libcurl's. What the two could read differently (an `@`, a backslash, a blank, a host in
/// anything but plain letters) is refused, so both always mean the same server.
struct Origin: Hashable, Sendable {
    let scheme: String
    let host: String
    let port: Int

    /// Nil where the text is no `http` or `https` URL that this client sends.
    init?(url: String) {
        let bytes = Array(url.utf8)
        guard bytes.count <= Limits.HTTPClient.urlBytesMax, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x5c })
        else { return nil }
        guard let (scheme, defaultPort) = Self.scheme(of: bytes) else { return nil }
        let rest = bytes.dropFirst(scheme.utf8.count + 3)
        let authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        guard let (host, portText) = Self.split(authority), let port = Self.port(portText, default: defaultPort) else {
            return nil
        }
        self.scheme = scheme
        self.host = String(decoding: host, as: UTF8.self).lowercased()
        self.port = port
    }

    /// Nobody on the way can read what goes there: it has TLS, or does not leave this machine.
    var isProtected: Bool {
        if scheme == "https" || host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return numbers.count == 4 && numbers.first == 127 && numbers.allSatisfy { $0 != nil }
    }

    private static func scheme(of url: [UInt8]) -> (name: String, port: Int)? {
        for (name, port) in [("http", 80), ("https", 443)] {
            let head = Array("\(name)://".utf8)
            guard url.count > head.count else { continue }
            // Letters differ from their capitals in one bit; `:` and `/` have it set already.
            if zip(url, head).allSatisfy({ $0 | 0x20 == $1 }) { return (name, port) }
        }
        return nil
    }

    private static func split(_ authority: ArraySlice<UInt8>) -> (host: ArraySlice<UInt8>, port: ArraySlice<UInt8>?)? {
        guard let first = authority.first else { return nil }
        guard first != UInt8(ascii: "[") else {
            guard let end = authority.firstIndex(of: UInt8(ascii: "]")),
                authority.index(after: authority.startIndex) < end
            else { return nil }
            let address = authority[(authority.startIndex + 1)..<end]
            guard address.allSatisfy({ isHexadecimal($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }) else {
                return nil
            }
            let tail = authority[(end + 1)...]
            guard let colon = tail.first else { return (authority[...end], nil) }
            return colon == UInt8(ascii: ":") ? (authority[...end], tail.dropFirst()) : nil
        }
        let host = authority.prefix { $0 != UInt8(ascii: ":") }
        guard !host.isEmpty, host.allSatisfy(isHostByte) else { return nil }
        let tail = authority[host.endIndex...]
        return (host, tail.isEmpty ? nil : tail.dropFirst())
    }

    private static func port(_ text: ArraySlice<UInt8>?, default fallback: Int) -> Int? {
        guard let text else { return fallback }
        guard (1...5).contains(text.count), text.allSatisfy({ (48...57).contains($0) }) else { return nil }
        let number = text.reduce(0) { $0 * 10 + Int($1 - 48) }
        return (1...65_535).contains(number) ? number : nil
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 48...57: true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"), 48...57: true
        default: false
        }
    }
}

/// What becomes of a URL where only what is protected is used.
public enum Protection {
    /// Whether something at that URL can be asked without TLS or with it, and nobody on the way reads along.
    public static func covers(_ url: String) -> Bool { Origin(url: url)?.isProtected ?? true }
}
