import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// Where the links in mails lead, and where one asks for them.
///
/// What lets somebody do things here is the link's own secret and no cookie, so that no page of another's can do them
/// in somebody's name. A link alone does nothing yet: programs that look at mails follow links, and press no buttons.
struct MailPages: Sendable {
    let registration: Registration
    let reset: PasswordReset

    static let forgotPath = "/forgot"

    // MARK: An address that is confirmed

    func showVerification(_ context: PageContext) throws(APIError) -> HTTPResponse {
        verification(context, token: try context.request.query.only("token") ?? "")
    }

    func verify(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let fields = try context.form()
        let (token, password) = (fields["token"] ?? "", fields["password"].flatMap { $0.isEmpty ? nil : $0 })
        let answer = LaterAnswer()
        do throws(APIError) {
            try registration.verify(token, password: password, from: Origin(context.request)) { result in
                let response = verified(context, token, result)
                answer.give { $0.complete(response) }
            }
        } catch {
            return verified(context, token, .failure(error))
        }
        return .parked { answer.park($0) }
    }

    private func verified(
        _ context: PageContext,
        _ token: String,
        _ result: Result<UserRecord, APIError>
    ) -> HTTPResponse {
        do throws(APIError) {
            let record = try result.get()
            let body: HTML = """
                \(Page.notice("\(record.email) is confirmed.", isError: false))
                <p><a href="\(context.site.path(PagePaths.login))">Log in</a>, or run <code>daleks login</code>.</p>
                """
            return context.page("Welcome").response(body)
        } catch {
            switch error.code {
            case .invalidCredentials, .invalid:
                return verification(context, token: token, notice: error.detail, status: error.status)
            default: return context.failure(error)
            }
        }
    }

    private func verification(
        _ context: PageContext,
        token: String,
        notice: String? = nil,
        status: HTTPStatus = .ok
    ) -> HTTPResponse {
        let body: HTML = """
            \(Page.notice(notice))
            <p>Confirm that this address is yours, and that you want to use it here.</p>
            <form method="post" action="\(context.site.path(Correspondence.verifyPath))">
            \(Page.hidden("token", token))
            <div class="field"><label for="password">The password of your account</label>
            <input id="password" name="password" type="password" autocomplete="current-password" required
            maxlength="1024" autofocus>
            <p class="hint">For a new account, the one that you chose for it. If you asked for neither an account nor
            another address, close this page: nothing happens then.</p>
            </div>
            <div class="buttons"><button>Confirm</button></div>
            </form>
            """
        return context.page("Confirm your address").response(body, status: status)
    }

    // MARK: A password that was forgotten

    func showForgotten(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let body: HTML = """
            <p>If there is an account with your address, a mail will tell you how to set another password.</p>
            <form method="post" action="\(context.site.path(Self.forgotPath))">
            <div class="field"><label for="email">E-mail address</label>
            <input id="email" name="email" type="email" autocomplete="username" required maxlength="254"
            autofocus></div>
            <div class="buttons"><button>Send the mail</button></div>
            </form>
            """
        return context.page("Forgot your password?").response(body)
    }

    func ask(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let form = try context.form()
        try reset.ask(form["email"] ?? "", from: Origin(context.request))
        let told = "If there is such an account, the mail is on its way. Its link is good for an hour."
        return context.page("Look into your mail").response(Page.notice(told, isError: false))
    }

    func showReset(_ context: PageContext) throws(APIError) -> HTTPResponse {
        form(context, token: try context.request.query.only("token") ?? "")
    }

    func set(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let fields = try context.form()
        let (token, password) = (fields["token"] ?? "", fields["password"] ?? "")
        let answer = LaterAnswer()
        do throws(APIError) {
            try reset.finish(token, password: password, code: fields["code"], from: Origin(context.request)) { result in
                let response = concluded(context, token, result)
                answer.give { $0.complete(response) }
            }
        } catch {
            return concluded(context, token, .failure(error))
        }
        return .parked { answer.park($0) }
    }

    private func concluded(
        _ context: PageContext,
        _ token: String,
        _ result: Result<Void, APIError>
    ) -> HTTPResponse {
        do throws(APIError) {
            try result.get()
            let body: HTML = """
                \(Page.notice("Your password is set. Whatever was logged in before is not any more.", isError: false))
                <p><a href="\(context.site.path(PagePaths.login))">Log in</a>, or run <code>daleks login</code>.</p>
                """
            return context.page("Done").response(body)
        } catch {
            switch error.code {
            case .mfaRequired, .invalid: return form(context, token: token, notice: error.detail, status: error.status)
            default: return context.failure(error)
            }
        }
    }

    private func form(
        _ context: PageContext,
        token: String,
        notice: String? = nil,
        status: HTTPStatus = .ok
    ) -> HTTPResponse {
        let body: HTML = """
            \(Page.notice(notice))
            <form method="post" action="\(context.site.path(Correspondence.resetPath))">
            \(Page.hidden("token", token))
            <div class="field"><label for="password">New password</label>
            <input id="password" name="password" type="password" autocomplete="new-password" required minlength="8"
            maxlength="1024" autofocus></div>
            <div class="field"><label for="code">Code of your second factor, if you have one</label>
            <input id="code" class="code" name="code" autocomplete="one-time-code" autocapitalize="none"
            spellcheck="false" maxlength="64"></div>
            <div class="buttons"><button>Set the password</button></div>
            </form>
            """
        return context.page("Set a new password").response(body, status: status)
    }
}
