import DaleksHTTP
import DaleksHTTPServer

/// What every page needs to know about where it is served. All of it comes from the configured issuer, nothing from a
/// request.
struct Site: Sendable {
    /// Scheme and authority, as browsers send it in `Origin`.
    let origin: String
    /// The issuer's path, in front of every path of ours.
    let base: String
    let isSecure: Bool
    /// Whether pages may be served at all: with TLS, or to this very machine.
    let isUsable: Bool

    init(issuer: String) {
        let authorityStart = issuer.firstIndex(of: "/").map { issuer.index($0, offsetBy: 2) } ?? issuer.endIndex
        let pathStart = issuer[authorityStart...].firstIndex(of: "/") ?? issuer.endIndex
        origin = String(issuer[..<pathStart]).lowercased()
        base = String(issuer[pathStart...])
        isSecure = origin.hasPrefix("https://")
        let authority = origin.dropFirst("http://".utf8.count)
        let isLoopback = ["127.0.0.1", "[::1]", "localhost"].contains { host in
            authority == host || authority.hasPrefix(host + ":")
        }
        isUsable = isSecure || isLoopback
    }

    func path(_ path: String) -> String { base + path }

    /// Sends the browser to another of our pages.
    func redirect(to path: String) -> HTTPResponse { Self.redirect(outside: base + path) }

    /// Sends the browser anywhere: only to what was registered or comes from here.
    static func redirect(outside url: String) -> HTTPResponse {
        // 303, so that a form's fields are never sent on.
        HTTPResponse(.seeOther, fields: ["Location": url, "Cache-Control": "no-store"])
    }

    /// Where a log-in goes on: a path of ours that is meant for it, with its query, or the account's page. Anything
    /// else would let a link to our log-in end at a page of somebody else's.
    static func continuation(_ text: String?) -> String {
        guard let text, text.utf8.count <= 8_192, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x5c })
        else { return PagePaths.account }
        let path = text.prefix { $0 != "?" && $0 != "#" }
        let isOurs = ["/oauth/authorize", PagePaths.device, PagePaths.account].contains(String(path))
        return isOurs && !text.contains("#") ? text : PagePaths.account
    }
}
