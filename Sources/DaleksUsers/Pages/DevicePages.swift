import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// Letting a device in: type the letters that it shows, see what it is, decide.
struct DevicePages: Sendable {
    let devices: DeviceGrant

    private static let warning =
        "Allow this only if the device is in front of you and you started it yourself. Nobody who calls or writes to "
        + "you needs you to do this."

    private static let findPurpose = "find a device"

    private static func decidePurpose(_ code: UserCode) -> String { "let a device in\0\(code.letters)" }

    func show(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let typed = try context.request.query.only("user_code") ?? ""
        guard let visitor = try context.visitor() else {
            let query = typed.isEmpty ? "" : "?user_code=" + PercentEncoding.encode(typed)
            return context.logInFirst(PagePaths.device + query)
        }
        return form(context, visitor, typed: UserCode(typed)?.text ?? "")
    }

    func find(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let fields = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.device) }
        try context.check(visitor.proof.isRight(fields[FormProof.field], Self.findPurpose))
        let typed = fields["user_code"] ?? ""
        guard let code = UserCode(typed),
            let (request, client) = try devices.waiting(code, asked: visitor.account.id, from: Origin(context.request))
        else {
            return form(
                context,
                visitor,
                typed: typed,
                notice: "No device waits with this code. Codes are good for ten minutes; check the letters.",
                status: .unprocessableContent
            )
        }
        let named = request.device == client.name ? "" : " on “\(request.device)”"
        let body: HTML = """
            <p><strong>\(client.name)</strong>\(named) shows the code <strong>\(code.text)</strong> and asks to be
            let in to your account. It would be able to:</p>
            \(ScopeWords.list(request.scope))
            <p>It could do that until you end it among your log-ins. It cannot change your account or its password,
            and cannot administer anything.</p>
            \(Page.notice(Self.warning))
            <form method="post" action="\(context.site.path(PagePaths.deviceDecision))">
            \(visitor.proof.hidden(Self.decidePurpose(code)))\(Page.hidden("user_code", code.text))
            <div class="buttons"><button name="decision" value="allow">Allow</button>
            <button class="second" name="decision" value="deny">Do not allow</button></div>
            </form>
            """
        return context.page("Let this device in?", visitor).response(body)
    }

    func decide(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let fields = try context.form()
        guard let visitor = try context.visitor() else { return context.logInFirst(PagePaths.device) }
        guard let code = UserCode(fields["user_code"] ?? "") else { throw .malformed("the form lacks its code") }
        try context.check(visitor.proof.isRight(fields[FormProof.field], Self.decidePurpose(code)))
        let isApproved = fields["decision"] == "allow"
        let isDone = try devices.decide(
            code,
            isApproved: isApproved,
            by: visitor.account.id,
            authenticated: visitor.session.created,
            from: Origin(context.request)
        )
        guard isDone else {
            return context.page("Too late", visitor).response(
                "\(Page.notice("The device does not wait any more. Start again there."))",
                status: .conflict
            )
        }
        let text = isApproved ? "The device goes on by itself in a few seconds." : "The device was turned away."
        let body: HTML = """
            \(Page.notice(text, isError: false))
            <p>You can close this page, or
            <a href="\(context.site.path(PagePaths.account))">look at your account</a>.</p>
            """
        return context.page(isApproved ? "Done" : "Not let in", visitor).response(body)
    }

    private func form(
        _ context: PageContext,
        _ visitor: BrowserSessions.Visitor,
        typed: String,
        notice: String? = nil,
        status: HTTPStatus = .ok
    ) -> HTTPResponse {
        let body: HTML = """
            \(Page.notice(notice))
            <form method="post" action="\(context.site.path(PagePaths.device))">
            \(visitor.proof.hidden(Self.findPurpose))
            <div class="field"><label for="user_code">The code that your device shows</label>
            <input id="user_code" class="code" name="user_code" autocomplete="off" autocapitalize="characters"
            spellcheck="false" required maxlength="32" placeholder="XXXX-XXXX" value="\(typed)" autofocus>
            <p class="hint">Eight letters; small ones and spaces are fine.</p></div>
            <div class="buttons"><button>Continue</button></div>
            </form>
            """
        return context.page("Let a device in", visitor).response(body, status: status)
    }
}
