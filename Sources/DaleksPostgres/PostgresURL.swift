import CPostgres

/// Where a database is, who asks, and how the way there is protected: `postgres://user@host:port/name?sslmode=…`.
///
/// libpq reads it, so that all that libpq understands is allowed, its `PG…` environment and password file included.
/// Its description never holds a password: secrets are left out, not hidden by pattern.
public struct PostgresURL: Sendable {
    typealias Setting = (keyword: String, value: String)

    private struct Option {
        let keyword: String
        let value: String
        let isSecret: Bool
    }

    private let options: [Option]

    /// libpq's own complaint quotes the URL and with it the password, so that ours does not repeat it.
    public init(_ text: String) throws(PostgresError) {
        var complaint: UnsafeMutablePointer<CChar>?
        let parsed = PQconninfoParse(text, &complaint)
        defer {
            PQconninfoFree(parsed)
            PQfreemem(complaint)
        }
        guard let parsed, !text.utf8.contains(0) else {
            throw PostgresError(
                .malformedURL,
                "the database's URL cannot be read; it looks like "
                    + "postgres://user:password@host:5432/name?sslmode=verify-full"
            )
        }
        var options: [Option] = []
        var position = parsed
        while let keyword = position.pointee.keyword {
            if let value = position.pointee.val {
                // libpq marks with `*` what a form should not show.
                let isSecret = position.pointee.dispchar.map { String(cString: $0) } == "*"
                options.append(
                    Option(keyword: String(cString: keyword), value: String(cString: value), isSecret: isSecret)
                )
            }
            position += 1
        }
        self.options = options
    }

    /// The URL without its secrets, for logs and `--print-config`; a URL that cannot be read is not shown at all.
    public static func redacted(_ text: String) -> String {
        guard let url = try? PostgresURL(text) else { return "(a database URL that cannot be read)" }
        return url.description
    }

    func value(_ keyword: String) -> String? { options.first { $0.keyword == keyword }?.value }

    /// Whether the way there leads through a network that others may share.
    var isRemote: Bool {
        let hosts = (value("hostaddr") ?? value("host") ?? "").split(separator: ",")
        return hosts.contains { host in
            !host.hasPrefix("/") && !host.hasPrefix("@") && !host.hasPrefix("127.") && host != "localhost"
                && host != "::1"
        }
    }

    /// Whether a stranger in between would be noticed.
    var isVerified: Bool { value("sslmode") == "verify-full" }

    /// What libpq is given, once for each host, in the URL's order: it would let a silent first host use up the time
    /// of all of them.
    func endpoints(defaults: [Setting]) -> [[Setting]] {
        let hosts = Self.list(value("host"))
        let addresses = Self.list(value("hostaddr"))
        let ports = Self.list(value("port"))
        let count = max(hosts.count, addresses.count, 1)
        let shared =
            defaults.filter { value($0.keyword) == nil }
            + options.filter { !["host", "hostaddr", "port"].contains($0.keyword) }.map { ($0.keyword, $0.value) }
        return (0..<count).map { index in
            var settings = shared
            // Among several only the one that accepts writes is the one meant.
            if count > 1, value("target_session_attrs") == nil {
                settings.append(("target_session_attrs", "read-write"))
            }
            for (keyword, values) in [("host", hosts), ("hostaddr", addresses), ("port", ports)] {
                // One port may stand for all hosts.
                guard let value = values.count == 1 ? values.first : values.dropFirst(index).first else { continue }
                settings.append((keyword, value))
            }
            return settings
        }
    }

    /// libpq separates what belongs to several hosts by commas.
    private static func list(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
}

extension PostgresURL: CustomStringConvertible {
    public var description: String {
        let hosts = Self.list(value("host") ?? value("hostaddr"))
        let ports = Self.list(value("port"))
        var text = "postgres://"
        if let user = value("user") { text += "\(Self.escaped(user))@" }
        text += hosts.enumerated().map { index, host in
            let port = ports.count == 1 ? ports.first : ports.dropFirst(index).first
            let shown = host.contains(":") ? "[\(host)]" : Self.escaped(host)
            return shown + (port.map { ":\($0)" } ?? "")
        }.joined(separator: ",")
        if hosts.isEmpty, let port = ports.first { text += ":\(port)" }
        if let name = value("dbname") { text += "/\(Self.escaped(name))" }
        let shownAlready = ["user", "host", "port", "dbname"]
        let rest = options.filter { !$0.isSecret && !shownAlready.contains($0.keyword) }
        if !rest.isEmpty {
            text += "?" + rest.map { "\($0.keyword)=\(Self.escaped($0.value))" }.joined(separator: "&")
        }
        return text
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { escaped, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                escaped += "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
        }
    }
}
