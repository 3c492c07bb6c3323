import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService
import DaleksSystem

/// One request of a browser: what it is about, who sends it, and where we are.
struct PageContext: Sendable {
    let request: HTTPRequest
    let browsers: BrowserSessions
    let site: Site

    init(_ request: HTTPRequest, _ browsers: BrowserSessions) {
        self.request = request
        self.browsers = browsers
        site = browsers.site
    }

    func page(_ title: String, _ visitor: BrowserSessions.Visitor? = nil) -> Page {
        Page(site: site, title: title, person: visitor?.account.email.text)
    }

    func visitor() throws(APIError) -> BrowserSessions.Visitor? { try browsers.visitor(request) }

    /// The form's fields. Throws where it cannot have been sent by a page of ours.
    func form() throws(APIError) -> OAuthForm {
        try checkSender()
        do throws(OAuthFailure) {
            return try OAuthForm(request)
        } catch {
            switch error {
            case .refused(let error): throw .malformed(error.detail)
            case .api(let error): throw error
            }
        }
    }

    /// Browsers say which site a form comes from, and pages cannot make them lie about it. The form's proof is checked
    /// besides: not every browser says it.
    private func checkSender() throws(APIError) {
        if let origin = request.fields["Origin"], origin != site.origin {
            throw .forbidden(
                "this form was sent by a page of another address. Open \(site.origin)\(site.base) and try again"
            )
        }
        if let place = request.fields["Sec-Fetch-Site"], place != "same-origin", place != "none" {
            throw .forbidden("this form was sent by a page of another site")
        }
    }

    func check(_ isRight: Bool) throws(APIError) {
        guard isRight else {
            throw .forbidden("this form is out of date, or was not made here. Go back, load the page again, and retry")
        }
    }

    func logInFirst(_ continuation: String, again: Bool = false) -> HTTPResponse {
        let query = "?continue=" + PercentEncoding.encode(continuation) + (again ? "&again=1" : "")
        return site.redirect(to: PagePaths.login + query)
    }

    /// Answers when `begin`'s closure is called, with a page in any case.
    func later<Value: Sendable>(
        _ response: @escaping @Sendable (Value) -> HTTPResponse,
        _ begin: (@escaping @Sendable (Result<Value, APIError>) -> Void) throws(APIError) -> Void
    ) throws(APIError) -> HTTPResponse {
        let answer = LaterAnswer()
        try begin { result in
            let page =
                switch result {
                case .success(let value): response(value)
                case .failure(let error): failure(error)
                }
            answer.give { $0.complete(page) }
        }
        return .parked { answer.park($0) }
    }

    /// What went wrong, for people.
    func failure(_ error: APIError) -> HTTPResponse {
        let title =
            switch error.status {
            case .notFound: "There is nothing here"
            case .tooManyRequests: "Too many tries"
            case .forbidden, .unauthorized: "That is not allowed"
            default: error.status.isServerError ? "This does not work now" : "That did not work"
            }
        let body: HTML = """
            \(Page.notice(error.detail))
            <p><a href="\(site.path(PagePaths.account))">To your account</a></p>
            <p class="hint">Request \(request.requestID)</p>
            """
        var response = page(title).response(body, status: error.status)
        if let delay = error.fields["Retry-After"] { response.fields.set("Retry-After", delay) }
        return response
    }
}
