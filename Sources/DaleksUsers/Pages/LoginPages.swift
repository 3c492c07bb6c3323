import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService

/// Logging in and out at the pages.
struct LoginPages: Sendable {
    let logIn: LogIn
    /// Whether people may make accounts themselves.
    let takesNewcomers: Bool

    private static let purpose = "log in"
    private static let carriedPurpose = "log in, second step"

    /// What was typed so far.
    private struct Typed: Sendable {
        let email: String
        let password: String
        let code: String?
        let continuation: String
    }

    func show(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let query = context.request.query
        let continuation = Site.continuation(try query.only("continue"))
        if try query.only("again") == nil, try context.visitor() != nil {
            return context.site.redirect(to: continuation)
        }
        return first(context, continuation, email: try query.only("email") ?? "")
    }

    /// Answers later: passwords are hashed elsewhere.
    func submit(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        let continuation = Site.continuation(form["continue"])
        guard let proof = context.browsers.knownFormProof(context.request),
            proof.isRight(form[FormProof.field], Self.purpose)
        else {
            return first(
                context,
                continuation,
                email: form["email"] ?? "",
                notice: "Please try again. Logging in needs cookies of this site.",
                status: .forbidden
            )
        }
        guard let typed = Self.typed(form, proof, continuation) else {
            return first(
                context,
                continuation,
                email: form["email"] ?? "",
                notice: "Please type your e-mail address and your password.",
                status: .unprocessableContent
            )
        }
        let answer = LaterAnswer()
        do throws(APIError) {
            try logIn.authenticate(
                email: typed.email,
                password: typed.password,
                code: typed.code,
                from: Origin(context.request)
            ) { result in
                let response = conclude(context, typed, proof, result)
                answer.give { $0.complete(response) }
            }
        } catch {
            return refuse(context, typed, proof, error)
        }
        return .parked { answer.park($0) }
    }

    func leave(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        guard let visitor = try context.visitor() else { return context.site.redirect(to: PagePaths.login) }
        try context.check(visitor.proof.isRight(form[FormProof.field], "log out"))
        return try context.browsers.end(visitor, context.request, context.site.redirect(to: PagePaths.login))
    }

    private static func typed(_ form: OAuthForm, _ proof: FormProof, _ continuation: String) -> Typed? {
        if let carried = form["carried"] {
            guard let text = proof.open(carried, carriedPurpose), let json = try? JSONValue.parse(Array(text.utf8)),
                let email = try? JSONReader(json).string("email"),
                let password = try? JSONReader(json).string("password")
            else { return nil }
            return Typed(email: email, password: password, code: form["code"] ?? "", continuation: continuation)
        }
        guard let email = form["email"], let password = form["password"] else { return nil }
        return Typed(email: email, password: password, code: form["code"], continuation: continuation)
    }

    // MARK: What comes of it

    private func conclude(
        _ context: PageContext,
        _ typed: Typed,
        _ proof: FormProof,
        _ result: Result<Account, APIError>
    ) -> HTTPResponse {
        do throws(APIError) {
            let account = try result.get()
            return try context.browsers.begin(account, context.request, context.site.redirect(to: typed.continuation))
        } catch {
            return refuse(context, typed, proof, error)
        }
    }

    private func refuse(
        _ context: PageContext,
        _ typed: Typed,
        _ proof: FormProof,
        _ error: APIError
    ) -> HTTPResponse {
        switch error.code {
        case .mfaRequired where typed.code?.isEmpty ?? true:
            return second(context, typed, proof, notice: nil, status: .ok)
        case .mfaRequired: return second(context, typed, proof, notice: "That code is not right.", status: .forbidden)
        case .invalidCredentials, .invalid, .malformed:
            return first(
                context,
                typed.continuation,
                email: typed.email,
                notice: "The e-mail address or the password is wrong.",
                status: .forbidden
            )
        case .rateLimited:
            let delay = error.fields["Retry-After"] ?? "60"
            return first(
                context,
                typed.continuation,
                email: typed.email,
                notice: "Too many attempts. Please wait \(delay) seconds before the next.",
                status: .tooManyRequests
            ).with("Retry-After", delay)
        case .locked:
            return first(
                context,
                typed.continuation,
                email: typed.email,
                notice: "This account is locked. Please ask an administrator.",
                status: .forbidden
            )
        default: return context.failure(error)
        }
    }

    private func first(
        _ context: PageContext,
        _ continuation: String,
        email: String,
        notice: String? = nil,
        status: HTTPStatus = .ok
    ) -> HTTPResponse {
        let (proof, cookie) = context.browsers.formProof(context.request)
        let newcomer: HTML = """
            <p><a href="\(context.site.path(RegistrationPages.path))">Make an account</a></p>
            """
        let body: HTML = """
            \(Page.notice(notice))
            <form method="post" action="\(context.site.path(PagePaths.login))">
            \(proof.hidden(Self.purpose))\(Page.hidden("continue", continuation))
            <div class="field"><label for="email">E-mail address</label>
            <input id="email" name="email" type="email" autocomplete="username" required maxlength="254"
            value="\(email)"\(email.isEmpty ? " autofocus" : HTML.empty)></div>
            <div class="field"><label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="current-password" required
            maxlength="1024"\(email.isEmpty ? HTML.empty : " autofocus")></div>
            <div class="buttons"><button>Log in</button></div>
            </form>
            <p><a href="\(context.site.path(MailPages.forgotPath))">Forgot your password?</a></p>
            \(HTML.when(takesNewcomers, newcomer))
            """
        var response = context.page("Log in").response(body, status: status)
        if let cookie { response.fields.append("Set-Cookie", cookie) }
        return response
    }

    /// The password was right, and the account asks for more. What was typed is carried along, readable to nobody.
    private func second(
        _ context: PageContext,
        _ typed: Typed,
        _ proof: FormProof,
        notice: String?,
        status: HTTPStatus
    ) -> HTTPResponse {
        var json = JSONWriter()
        json.object { json in
            json.member("email", typed.email)
            json.member("password", typed.password)
        }
        let carried = proof.seal(String(decoding: json.bytes, as: UTF8.self), Self.carriedPurpose)
        let body: HTML = """
            \(Page.notice(notice))
            <p>Your account asks for a second proof. Open your authenticator, or take one of your recovery codes.</p>
            <form method="post" action="\(context.site.path(PagePaths.login))">
            \(proof.hidden(Self.purpose))\(Page.hidden("continue", typed.continuation))
            \(Page.hidden("carried", carried))
            <div class="field"><label for="code">Code</label>
            <input id="code" class="code" name="code" autocomplete="one-time-code" autocapitalize="none"
            spellcheck="false" required maxlength="64" autofocus></div>
            <div class="buttons"><button>Log in</button></div>
            </form>
            """
        return context.page("One more step").response(body, status: status)
    }
}
