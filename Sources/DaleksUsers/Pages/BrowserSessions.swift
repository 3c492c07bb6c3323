import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksSQLite
import DaleksSystem

/// Who is logged in at the pages. A browser has a session like any program, so it is listed and ended like one; its
/// cookie is that session's token, which is good for pages only and never changes.
struct BrowserSessions: Sendable {
    /// What a browser's session says for its program. No client can be called so.
    static let clientID = "pages"

    let store: UsersStore
    let sessions: Sessions
    let site: Site
    let time: TimeSource

    /// Somebody who is logged in.
    struct Visitor: Sendable {
        let account: Account
        let session: SessionState
        /// Only this browser has it; forms are tied to it.
        fileprivate let secret: [UInt8]

        var proof: FormProof { FormProof(secret: secret) }

        /// Who logs in at the pages does so with the password itself, and the second factor.
        var caller: Caller { Caller(account: account, session: session, isHouse: true, isOwn: true) }
    }

    // MARK: Cookies

    /// Browsers take a cookie of this prefix only over TLS, for this host alone and for all of it. Without TLS, which
    /// is for development on one machine, they would not take it at all; then it is called what it is.
    private var sessionCookie: String { site.isSecure ? "__Host-daleks" : "daleks-without-tls" }
    private var formCookie: String { site.isSecure ? "__Host-daleks-form" : "daleks-form-without-tls" }

    private func cookie(_ name: String, _ value: String, seconds: Int64? = nil) -> String {
        let age = seconds.map { "; Max-Age=\($0)" } ?? ""
        // Lax: somebody who follows a program's link to us is still logged in here. Forms of other sites bring none.
        return "\(name)=\(value); Path=/; HttpOnly; SameSite=Lax\(site.isSecure ? "; Secure" : "")\(age)"
    }

    /// The one value of that name; nil where there are two, for one of them was planted.
    private static func value(of name: String, in request: HTTPRequest) -> String? {
        var values: [String] = []
        for field in request.fields.values("Cookie") {
            for part in field.split(separator: ";") {
                let cookie = part.drop { $0 == " " }
                if cookie.hasPrefix(name + "=") { values.append(String(cookie.dropFirst(name.utf8.count + 1))) }
            }
        }
        return values.count == 1 ? values[0] : nil
    }

    // MARK: Who it is

    func visitor(_ request: HTTPRequest) throws(APIError) -> Visitor? {
        guard let value = Self.value(of: sessionCookie, in: request), let token = RefreshToken(value) else {
            return nil
        }
        let now = time.wall
        let found = try store.read { db -> Visitor? in
            guard let session = try SessionTable.load(token.session, db), session.client == Self.clientID,
                session.ended == nil, !sessions.rule.isOver(session, at: now),
                constantTimeEqual(session.current.bytes, token.digest.bytes),
                let account = try AccountTable.load(session.account, db), account.lockedSince == nil
            else { return nil }
            return Visitor(account: account, session: session, secret: Array(value.utf8))
        }
        if let found, now - found.session.used > Limits.Users.browserUseInterval {
            try store.write(.normal) { db in try SessionTable.touch(found.session.id, at: now, db) }
        }
        return found
    }

    /// A new session for a browser, whatever it had before; the cookie goes into `response`.
    func begin(
        _ account: Account,
        _ request: HTTPRequest,
        _ response: HTTPResponse
    ) throws(APIError) -> HTTPResponse {
        let now = time.wall
        let (beginning, token) = sessions.make(
            for: account.id,
            client: Self.clientID,
            scope: .none,
            device: Self.name(of: request),
            at: now
        )
        let before = try visitor(request)
        try store.write { db in
            if let before { _ = try SessionTable.end(before.session.id, .revoked, at: now, db) }
            try SessionTable.insert(beginning.state(in: ""), db)
        }
        var response = response
        response.fields.append("Set-Cookie", cookie(sessionCookie, token.text))
        response.fields.append("Set-Cookie", cookie(formCookie, "", seconds: 0))
        return response
    }

    func end(_ visitor: Visitor, _ request: HTTPRequest, _ response: HTTPResponse) throws(APIError) -> HTTPResponse {
        _ = try sessions.revoke(visitor.session.id, of: visitor.account.id, from: Origin(request))
        var response = response
        response.fields.append("Set-Cookie", cookie(sessionCookie, "", seconds: 0))
        return response
    }

    /// What the list of sessions calls a browser: its name and system, as far as they can be told.
    private static func name(of request: HTTPRequest) -> String {
        let agent = request.fields["User-Agent"] ?? ""
        let browsers = [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]
        let systems = [
            ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "Mac"),
            ("Linux", "Linux"),
        ]
        let browser = browsers.first { agent.contains($0.0) }?.1 ?? "A browser"
        let system = systems.first { agent.contains($0.0) }.map { " on \($0.1)" } ?? ""
        return browser + system
    }

    // MARK: Forms before there is a session

    /// What ties a form to a browser that nobody is logged in with, and the cookie to set for it.
    func formProof(_ request: HTTPRequest) -> (proof: FormProof, cookie: String?) {
        if let value = knownForm(request) { return (FormProof(secret: Array(value.utf8)), nil) }
        let value = Base64.encode(Random.bytes(count: 32))
        return (FormProof(secret: Array(value.utf8)), cookie(formCookie, value))
    }

    /// Nil where the browser sent no cookie of ours back: its form is of somebody else's making, or cookies are off.
    func knownFormProof(_ request: HTTPRequest) -> FormProof? {
        knownForm(request).map { FormProof(secret: Array($0.utf8)) }
    }

    private func knownForm(_ request: HTTPRequest) -> String? {
        Self.value(of: formCookie, in: request).flatMap { Base64.decode($0)?.count == 32 ? $0 : nil }
    }
}
