import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// Turning the second factor on and off, and new recovery codes.
struct FactorPages: Sendable {
    let factors: SecondFactors

    private static let proposePurpose = "ask for a second factor"
    private static let confirmPurpose = "confirm a second factor"
    private static let codesPurpose = "renew recovery codes"
    private static let endPurpose = "turn the second factor off"

    // MARK: The forms

    static func forms(_ context: PageContext, _ visitor: BrowserSessions.Visitor) -> HTML {
        guard visitor.account.secondFactor != nil else {
            return """
                <h2 id="second-factor">Second factor</h2>
                <p>With one, a log-in takes your password and a code of an app on your phone.</p>
                \(form("Turn it on", "Continue", PagePaths.factor, proposePurpose, "factor", context, visitor))
                """
        }
        return """
            <h2 id="second-factor">Second factor</h2>
            <p>It is on: a log-in takes your password and a code of your authenticator.</p>
            \(form("New recovery codes", "Make them", PagePaths.recoveryCodes, codesPurpose, "codes", context, visitor))
            \(form("Turn it off", "Turn it off", PagePaths.endFactor, endPurpose, "off", context, visitor))
            """
    }

    private static func form(
        _ title: String,
        _ button: String,
        _ path: String,
        _ purpose: String,
        _ id: String,
        _ context: PageContext,
        _ visitor: BrowserSessions.Visitor
    ) -> HTML {
        """
        <details><summary>\(title)</summary>
        <form method="post" action="\(context.site.path(path))">
        \(visitor.proof.hidden(purpose))\(SecretPages.proofFields(id, visitor))
        <div class="buttons"><button>\(button)</button></div></form></details>
        """
    }

    // MARK: On

    func propose(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.proposePurpose))
        return try context.later({ (proposal: SecondFactors.Proposal) in
            let body: HTML = """
                <p>Add an account to your authenticator with this secret, or open
                <a href="\(proposal.uri)">this link</a> on the device that has it:</p>
                <pre><code>\(proposal.secret)</code></pre>
                <p>Nothing has changed yet: it is on once a code of the app was right.</p>
                \(Self.codeForm(context, visitor))
                """
            return context.page("Turn the second factor on", visitor).response(body)
        }) { answer throws(APIError) in
            try factors.propose(
                visitor.caller,
                password: form["password"] ?? "",
                from: Origin(context.request),
                then: answer
            )
        }
    }

    private static func codeForm(_ context: PageContext, _ visitor: BrowserSessions.Visitor) -> HTML {
        """
        <form method="post" action="\(context.site.path(PagePaths.confirmFactor))">
        \(visitor.proof.hidden(confirmPurpose))
        <div class="field"><label for="code">The code that the app shows</label>
        <input id="code" class="code" name="code" inputmode="numeric" autocomplete="one-time-code" required
        maxlength="64" autofocus></div>
        <div class="buttons"><button>Turn it on</button></div></form>
        """
    }

    func confirm(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.confirmPurpose))
        do throws(APIError) {
            let codes = try factors.confirm(visitor.caller, code: form["code"] ?? "", from: Origin(context.request))
            return Self.show(codes, context, visitor)
        } catch {
            guard error.code == .mfaRequired else { throw error }
            let notice = "That code is not right. Codes change each half minute; is the phone's clock right?"
            let body: HTML = "\(Page.notice(notice))\(Self.codeForm(context, visitor))"
            return context.page("Turn the second factor on", visitor).response(body, status: .forbidden)
        }
    }

    private static func show(
        _ codes: [String],
        _ context: PageContext,
        _ visitor: BrowserSessions.Visitor
    ) -> HTTPResponse {
        let told = "The second factor is on. These codes are shown once: keep them where the phone is not."
        let body: HTML = """
            \(Page.notice(told, isError: false))
            <p>Each of them lets you in once in place of a code, when the phone is lost. Any that you had before are
            good no more.</p>
            <pre><code>\(codes.joined(separator: "\n"))</code></pre>
            <p><a href="\(context.site.path(PagePaths.account))#second-factor">Back to your account</a></p>
            """
        return context.page("Your recovery codes", visitor).response(body)
    }

    func renewCodes(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.codesPurpose))
        return try context.later({ (codes: [String]) in Self.show(codes, context, visitor) }) {
            answer throws(APIError) in
            try factors.renewRecoveryCodes(
                visitor.caller,
                password: form["password"] ?? "",
                code: form["code"],
                from: Origin(context.request),
                then: answer
            )
        }
    }

    // MARK: Off

    func end(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.account) }
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.endPurpose))
        return try context.later({ (_: Void) in context.site.redirect(to: PagePaths.account + "?done=factor-off") }) {
            answer throws(APIError) in
            try factors.end(
                visitor.caller,
                password: form["password"] ?? "",
                code: form["code"],
                from: Origin(context.request),
                then: answer
            )
        }
    }
}
