import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// Making an account, where the operator lets people do that.
struct RegistrationPages: Sendable {
    let registration: Registration

    static let path = "/register"

    /// Whether the log-in page leads here.
    var isOpen: Bool { registration.mode != .closed }

    func show(_ context: PageContext) throws(APIError) -> HTTPResponse {
        guard isOpen else { throw .forbidden("accounts are made by administrators here") }
        return form(context, name: "", email: "")
    }

    func submit(_ context: PageContext) throws(APIError) -> HTTPResponse {
        let fields = try context.form()
        let request = RegistrationRequest(
            email: fields["email"] ?? "",
            password: fields["password"] ?? "",
            name: fields["name"] ?? ""
        )
        let answer = LaterAnswer()
        do throws(APIError) {
            try registration.begin(request, from: Origin(context.request)) { result in
                let response = concluded(context, request, result)
                answer.give { $0.complete(response) }
            }
        } catch {
            return concluded(context, request, .failure(error))
        }
        return .parked { answer.park($0) }
    }

    private func concluded(
        _ context: PageContext,
        _ request: RegistrationRequest,
        _ result: Result<Registration.Outcome, APIError>
    ) -> HTTPResponse {
        do throws(APIError) {
            switch try result.get() {
            case .made(let record):
                let body: HTML = """
                    \(Page.notice("There is an account for \(record.email) now.", isError: false))
                    <p><a href="\(context.site.path(PagePaths.login))">Log in</a>, or run <code>daleks login</code>.</p>
                    """
                return context.page("Welcome").response(body)
            case .mailed:
                // The same for an address that has an account: the mail tells its owner which.
                let told = "A mail is on its way. The account is there once you followed its link, within a day."
                return context.page("Look into your mail").response(Page.notice(told, isError: false))
            }
        } catch {
            switch error.code {
            case .invalid, .alreadyExists:
                return form(
                    context,
                    name: request.name,
                    email: request.email,
                    notice: error.detail,
                    status: error.status
                )
            default: return context.failure(error)
            }
        }
    }

    private func form(
        _ context: PageContext,
        name: String,
        email: String,
        notice: String? = nil,
        status: HTTPStatus = .ok
    ) -> HTTPResponse {
        let body: HTML = """
            \(Page.notice(notice))
            <form method="post" action="\(context.site.path(Self.path))">
            <div class="field"><label for="name">Your name, as others see it</label>
            <input id="name" name="name" autocomplete="name" required maxlength="128" value="\(name)" autofocus></div>
            <div class="field"><label for="email">E-mail address</label>
            <input id="email" name="email" type="email" autocomplete="username" required maxlength="254"
            value="\(email)"></div>
            <div class="field"><label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="new-password" required minlength="8"
            maxlength="1024">
            <p class="hint">At least 8 characters. A few words that you can remember are better than signs.</p></div>
            <div class="buttons"><button>Make the account</button></div>
            </form>
            <p><a href="\(context.site.path(PagePaths.login))">You have an account?</a></p>
            """
        return context.page("Make an account").response(body, status: status)
    }
}
