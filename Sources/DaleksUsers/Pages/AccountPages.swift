import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// What somebody sees of their account: what is logged in to it, and how to end that.
struct AccountPages: Sendable {
    let sessions: Sessions
    let clients: Clients
    let appPasswords: AppPasswords

    private static let endOthersPurpose = "end other sessions"

    private static func endPurpose(_ id: String) -> String { "end a session\0\(id)" }

    func show(_ context: PageContext) throws(APIError) -> HTTPResponse {
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        let list = try sessions.list(of: visitor.account.id)
        var items: [HTML] = []
        for session in list { items.append(try item(session, context, visitor)) }
        let body: HTML = """
            \(Page.notice(Self.told(try context.request.query.only("done")), isError: false))
            <p>\(visitor.account.name), \(visitor.account.email.text)</p>
            <form method="post" action="\(context.site.path(PagePaths.logout))">\(visitor.proof.hidden("log out"))
            <div class="buttons"><button class="second">Log out of this browser</button></div></form>
            <h2 id="sessions">Where you are logged in</h2>
            <ul class="list">\(items)</ul>
            \(HTML.when(list.count > 1, endOthers(context, visitor)))
            \(FactorPages.forms(context, visitor))
            \(SecretPages.forms(context, visitor, try appPasswords.list(visitor.caller)))
            """
        var page = context.page("Your account", visitor)
        page.isWide = true
        return page.response(body)
    }

    func endSession(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let fields = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        let text = fields["session"] ?? ""
        try context.check(visitor.proof.isRight(fields[FormProof.field], Self.endPurpose(text)))
        guard let id = SessionID(text) else { throw .malformed("the form lacks its session") }
        let isEnded = try sessions.revoke(id, of: visitor.account.id, from: Origin(context.request))
        return context.site.redirect(to: PagePaths.account + (isEnded ? "?done=ended" : "?done=gone"))
    }

    func endOthers(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let fields = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        try context.check(visitor.proof.isRight(fields[FormProof.field], Self.endOthersPurpose))
        _ = try sessions.revokeAll(
            of: visitor.account.id,
            except: visitor.session.id,
            from: Origin(context.request)
        )
        return context.site.redirect(to: PagePaths.account + "?done=others")
    }

    /// Only sentences of ours are ever shown: the query is anybody's to write.
    private static func told(_ word: String?) -> String? {
        switch word {
        case "ended": "The log-in was ended."
        case "gone": "That log-in had ended before."
        case "others": "Every other log-in was ended."
        case "password": "The password was changed, and every other log-in was ended."
        case "factor-off": "The second factor is off."
        case "app-password": "The app password was taken back, and its log-ins were ended."
        default: nil
        }
    }

    private func item(
        _ session: SessionState,
        _ context: PageContext,
        _ visitor: BrowserSessions.Visitor
    ) throws(APIError) -> HTML {
        let isThis = session.id == visitor.session.id
        let isPages = session.client == BrowserSessions.clientID
        let program = isPages ? "These pages" : try clients.find(session.client)?.name ?? session.client
        let words: HTML = """
            <div class="what"><strong>\(session.device)</strong>\(isThis ? " (this browser)" : "")<br>
            <span class="hint">\(program) · since \(Self.day(session.created)) ·
            last used \(Self.day(session.used))</span>
            </div>
            """
        guard !isThis else { return "<li>\(words)</li>" }
        return """
            <li>\(words)
            <form method="post" action="\(context.site.path(PagePaths.endSession))">
            \(visitor.proof.hidden(Self.endPurpose("\(session.id)")))\(Page.hidden("session", "\(session.id)"))
            <button class="danger" aria-label="End the log-in of \(session.device)">End</button></form></li>
            """
    }

    private func endOthers(_ context: PageContext, _ visitor: BrowserSessions.Visitor) -> HTML {
        """
        <form method="post" action="\(context.site.path(PagePaths.endOtherSessions))">
        \(visitor.proof.hidden(Self.endOthersPurpose))
        <div class="buttons"><button class="danger">End all others</button></div></form>
        """
    }

    private static func day(_ time: Timestamp) -> String { String(time.rfc3339().prefix(10)) }
}
