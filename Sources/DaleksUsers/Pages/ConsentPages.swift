import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService
import DaleksSystem

/// `/oauth/authorize`: a program wants to be let in, and somebody decides.
///
/// They are asked each time. A public client cannot prove that it is the program it says it is, so a yes of the past is
/// no yes to whoever asks now (RFC 8252, 8.6).
struct ConsentPages: Sendable {
    let clients: Clients
    let authorization: Authorization
    let time: TimeSource

    func ask(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let query = context.request.query
        return try reading(query, context) { request throws(APIError) in
            let visitor = try context.visitor()
            guard let visitor, isFresh(visitor, request) else {
                if request.prompts.contains(.none) {
                    return refuse(request, OAuthError(.loginRequired, "nobody is logged in, or not lately enough"))
                }
                return context.logInFirst(Self.continuation(query), again: visitor != nil)
            }
            if request.prompts.contains(.none) {
                return refuse(request, OAuthError(.consentRequired, "the user has to be asked"))
            }
            return page(context, request, visitor, query)
        }
    }

    /// The same question as a form (OpenID Connect Core, 3.1.2.1). It may come from anywhere: it decides nothing.
    func askAgain(_ context: PageContext) throws(APIError) -> HTTPResponse {
        do throws(OAuthFailure) {
            let form = try OAuthForm(context.request)
            return context.site.redirect(to: PageRoutes.authorize + "?" + form.encoded)
        } catch {
            switch error {
            case .refused(let error): throw .malformed(error.detail)
            case .api(let error): throw error
            }
        }
    }

    func decide(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        let text = form["request"] ?? ""
        guard let visitor = try context.visitor() else {
            return context.logInFirst(PageRoutes.authorize + "?" + text)
        }
        // The proof is for this very request: a yes to one is no yes to another.
        try context.check(visitor.proof.isRight(form[FormProof.field], Self.purpose(text)))
        return try reading(try QueryItems(parsing: text), context) { request throws(APIError) in
            guard form["decision"] == "allow" else {
                return refuse(request, OAuthError(.accessDenied, "the user said no"))
            }
            return Site.redirect(
                outside: try authorization.agree(
                    to: request,
                    by: visitor.account.id,
                    authenticated: visitor.session.created
                )
            )
        }
    }

    private static func purpose(_ request: String) -> String { "let a program in\0\(request)" }

    // MARK: The request

    private func reading(
        _ query: QueryItems,
        _ context: PageContext,
        _ body: (AuthorizationRequest) throws(APIError) -> HTTPResponse
    ) throws(APIError) -> HTTPResponse {
        let request: AuthorizationRequest
        do throws(AuthorizationRequest.Refusal) {
            request = try AuthorizationRequest(query, clients)
        } catch {
            switch error {
            case .page(let text): throw .malformed(text)
            case .api(let error): throw error
            case .redirect(let error, let redirect, let state):
                return Site.redirect(outside: authorization.refuse(error, to: redirect, state: state))
            }
        }
        return try body(request)
    }

    private func refuse(_ request: AuthorizationRequest, _ error: OAuthError) -> HTTPResponse {
        Site.redirect(outside: authorization.refuse(error, to: request.redirect, state: request.state))
    }

    /// Whether who is logged in proved it as lately as the program asks.
    private func isFresh(_ visitor: BrowserSessions.Visitor, _ request: AuthorizationRequest) -> Bool {
        if request.prompts.contains(.login) || request.prompts.contains(.selectAccount) { return false }
        guard let ageMax = request.ageMax else { return true }
        return time.wall - visitor.session.created <= ageMax
    }

    /// The same question, once the log-in that it asks for has happened.
    private static func continuation(_ query: QueryItems) -> String {
        let items = query.all.compactMap { item -> QueryItems.Item? in
            switch item.name {
            case "prompt":
                let words = item.value.split(separator: " ").filter { $0 != "login" && $0 != "select_account" }
                return words.isEmpty ? nil : QueryItems.Item(name: item.name, value: words.joined(separator: " "))
            case "max_age": return item.value == "0" ? nil : item
            default: return item
            }
        }
        return PageRoutes.authorize + "?" + QueryItems(items).encoded
    }

    // MARK: The page

    private func page(
        _ context: PageContext,
        _ request: AuthorizationRequest,
        _ visitor: BrowserSessions.Visitor,
        _ query: QueryItems
    ) -> HTTPResponse {
        let text = query.encoded
        let target = RedirectURI.origin(of: request.redirect)
        let body: HTML = """
            <p><strong>\(request.client.name)</strong> asks to be let in to your account. It would be able to:</p>
            \(ScopeWords.list(request.scope))
            <p class="hint">You will be sent back to <strong>\(target)</strong>. Say no if you did not start this
            yourself. You can end this access at any time on your account's page.</p>
            <form method="post" action="\(context.site.path(PagePaths.consent))">
            \(visitor.proof.hidden(Self.purpose(text)))\(Page.hidden("request", text))
            <div class="buttons"><button name="decision" value="allow">Allow</button>
            <button class="second" name="decision" value="deny">Do not allow</button></div>
            </form>
            """
        var page = context.page("Let \(request.client.name) in?", visitor)
        // Browsers apply this to where a form's answer leads, too.
        page.formTarget = target
        return page.response(body)
    }
}
