import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// Changing the password, and passwords for single programs.
struct SecretPages: Sendable {
    let changes: AccountChanges
    let appPasswords: AppPasswords

    private static let passwordPurpose = "change the password"
    private static let makePurpose = "make an app password"

    private static func endPurpose(_ id: String) -> String { "take an app password back\0\(id)" }

    // MARK: The forms

    static func forms(
        _ context: PageContext,
        _ visitor: BrowserSessions.Visitor,
        _ passwords: [AppPassword]
    ) -> HTML {
        let items = passwords.map { item($0, context, visitor) }
        return """
            <h2 id="app-passwords">App passwords</h2>
            <p>For programs that can only ask for a password. Each can be taken back alone, and none can change the
            account.</p>
            <ul class="list">\(items)</ul>
            <details><summary>Make one</summary>
            <form method="post" action="\(context.site.path(PagePaths.makeAppPassword))">
            \(visitor.proof.hidden(makePurpose))
            <div class="field"><label for="app-name">What for</label>
            <input id="app-name" name="name" autocomplete="off" required maxlength="128"></div>
            <fieldset><legend>What it may do</legend>\(choices.map(choice))</fieldset>
            \(proofFields("app", visitor))
            <div class="buttons"><button>Make an app password</button></div></form></details>
            <h2 id="password">Password</h2>
            <details><summary>Change it</summary>
            <form method="post" action="\(context.site.path(PagePaths.password))">
            \(visitor.proof.hidden(passwordPurpose))
            \(proofFields("change", visitor))
            <div class="field"><label for="new-password">New password</label>
            <input id="new-password" name="new_password" type="password" autocomplete="new-password" required
            minlength="8" maxlength="1024">
            <p class="hint">At least 8 characters. Every other log-in ends.</p></div>
            <div class="buttons"><button>Change the password</button></div></form></details>
            """
    }

    /// What somebody chooses among; that the program goes on by itself is what an app password is for.
    private static let choices = Scopes.all.words.filter { $0 != Scopes.offline }

    private static func choice(_ word: String) -> HTML {
        """
        <label><input type="checkbox" name="\(word)" value="1" checked> \(ScopeWords.sentence(word))</label>
        """
    }

    static func proofFields(_ id: String, _ visitor: BrowserSessions.Visitor) -> HTML {
        let code: HTML = """
            <div class="field"><label for="\(id)-code">Code of your authenticator</label>
            <input id="\(id)-code" class="code" name="code" autocomplete="one-time-code" required maxlength="64"></div>
            """
        return """
            <div class="field"><label for="\(id)-password">Your password</label>
            <input id="\(id)-password" name="password" type="password" autocomplete="current-password" required
            maxlength="1024"></div>
            \(HTML.when(visitor.account.secondFactor != nil, code))
            """
    }

    private static func item(
        _ password: AppPassword,
        _ context: PageContext,
        _ visitor: BrowserSessions.Visitor
    ) -> HTML {
        let used = password.used.map { "last used \($0.rfc3339().prefix(10))" } ?? "not used yet"
        return """
            <li><div class="what"><strong>\(password.name)</strong><br><span class="hint">\(used) ·
            \(password.scope.words.filter { $0 != Scopes.offline }.joined(separator: ", "))</span></div>
            <form method="post" action="\(context.site.path(PagePaths.endAppPassword))">
            \(visitor.proof.hidden(endPurpose("\(password.id)")))\(Page.hidden("id", "\(password.id)"))
            <button class="danger" aria-label="Take back \(password.name)">Take back</button></form></li>
            """
    }

    // MARK: What they do

    func setPassword(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.passwordPurpose))
        return try context.later({ (_: Void) in context.site.redirect(to: PagePaths.account + "?done=password") }) {
            answer throws(APIError) in
            try changes.setPassword(
                visitor.caller,
                from: form["password"] ?? "",
                to: form["new_password"] ?? "",
                code: form["code"],
                origin: Origin(context.request),
                then: answer
            )
        }
    }

    func make(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.makePurpose))
        let chosen = Self.choices.filter { form[$0] != nil }
        guard !chosen.isEmpty else { throw .invalid("choose at least one thing that the program may do") }
        return try context.later({ (made: AppPasswords.Made) in
            let body: HTML = """
                \(Page.notice("This is shown once. Copy it into the program now.", isError: false))
                <p>For <strong>\(made.password.name)</strong>:</p>
                <pre><code>\(made.secret)</code></pre>
                <p><a href="\(context.site.path(PagePaths.account))#app-passwords">Back to your account</a></p>
                """
            return context.page("Your app password", visitor).response(body)
        }) { answer throws(APIError) in
            try appPasswords.make(
                visitor.caller,
                name: form["name"] ?? "",
                scope: (chosen + [Scopes.offline]).joined(separator: " "),
                password: form["password"] ?? "",
                code: form["code"],
                from: Origin(context.request),
                then: answer
            )
        }
    }

    func end(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        let text = form["id"] ?? ""
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.endPurpose(text)))
        guard let id = AppPasswordID(text) else { throw .malformed("the form lacks its password's id") }
        try appPasswords.delete(id, visitor.caller, from: Origin(context.request))
        return context.site.redirect(to: PagePaths.account + "?done=app-password")
    }
}
