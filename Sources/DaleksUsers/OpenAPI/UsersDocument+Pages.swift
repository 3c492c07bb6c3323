import DaleksAPI
import DaleksHTTP
import DaleksService

/// Pages, and what machines ask about the service's health.
extension UsersDocument {
    static let pages = [
        asked(
            PagePaths.login,
            "loginPage",
            "Log in",
            ["continue": "a path of ours to go on at", "again": "", "email": ""]
        ),
        form(PagePaths.login, "logIn", "Send the log-in form"),
        asked(RegistrationPages.path, "registerPage", "Make an account", [:]),
        form(RegistrationPages.path, "registerByPage", "Send the form for an account"),
        form(PagePaths.factor, "proposeSecondFactorByPage", "Ask for a second factor"),
        form(PagePaths.confirmFactor, "confirmSecondFactorByPage", "Turn it on by its first code"),
        form(PagePaths.recoveryCodes, "renewRecoveryCodesByPage", "Make new recovery codes"),
        form(PagePaths.endFactor, "endSecondFactorByPage", "Turn the second factor off"),
        form(PagePaths.logout, "logOut", "Log out of this browser"),
        asked(
            Routes.Users.authorize,
            "authorize",
            "Let a program in (RFC 6749, 4.1.1)",
            [
                "response_type": "code", "client_id": "", "redirect_uri": "", "scope": "", "state": "",
                "code_challenge": "base64url of SHA-256 of the verifier", "code_challenge_method": "S256", "nonce": "",
                "prompt": "", "max_age": "", "login_hint": "", "resource": "the files URL of a region",
            ]
        ),
        form(Routes.Users.authorize, "authorizeByPost", "The same question as a form"),
        form(PagePaths.consent, "consent", "Decide about a program"),
        asked(PagePaths.device, "devicePage", "Type the letters that a device shows", ["user_code": ""]),
        form(PagePaths.device, "findDevice", "Send the letters"),
        form(PagePaths.deviceDecision, "decideDevice", "Decide about a device"),
        form(PagePaths.password, "setPasswordByPage", "Change the password"),
        form(PagePaths.makeAppPassword, "makeAppPasswordByPage", "Make an app password"),
        form(PagePaths.endAppPassword, "endAppPasswordByPage", "Take an app password back"),
        asked(Correspondence.verifyPath, "verifyPage", "Confirm an address by a mail's link", ["token": ""]),
        form(Correspondence.verifyPath, "verifyByPage", "Confirm it"),
        asked(Correspondence.resetPath, "resetPage", "Set another password by a mail's link", ["token": ""]),
        form(Correspondence.resetPath, "resetByPage", "Set it"),
        asked(MailPages.forgotPath, "forgotPage", "Ask for such a mail", [:]),
        form(MailPages.forgotPath, "forgotByPage", "Send it"),
        asked(PagePaths.account, "accountPage", "What is logged in to the account", ["done": ""]),
        form(PagePaths.endSession, "endSessionByPage", "End one log-in"),
        form(PagePaths.endOtherSessions, "endOtherSessionsByPage", "End every other log-in"),
        style,
    ]

    static func page(
        _ method: HTTPMethod,
        _ path: String,
        _ name: String,
        _ summary: String,
        tag: String = Tag.pages
    ) -> APIOperation {
        var operation = APIOperation(method, path, name, tag: tag, summary)
        let html = "text/html; charset=utf-8"
        operation.answers =
            [.content(200, html, "a page"), .empty(303, "on to the next page, or back to the program")]
            + [400, 401, 403, 404, 409, 410, 413, 422, 423, 429, 500, 503].map {
                .content($0, html, "a page that says what is wrong")
            }
            // What cannot be read as a request at all does not get as far as a page.
            + [400, 413, 503].map { .typed($0, APIError.problemMediaType, .named("Problem"), "refused") }
        return operation
    }

    private static func asked(
        _ path: String,
        _ name: String,
        _ summary: String,
        _ parameters: KeyValuePairs<String, String>
    ) -> APIOperation {
        var operation = page(.get, path, name, summary)
        operation.parameters = parameters.map { .query($0.key, .text(), $0.value) }
        return operation
    }

    /// What a form of ours holds is its own business: a page is asked for first.
    private static func form(_ path: String, _ name: String, _ summary: String) -> APIOperation {
        var operation = page(.post, path, name, summary)
        operation.body = .form(.object())
        return operation
    }

    private static var style: APIOperation {
        var operation = APIOperation(.get, PagePaths.style, "style", tag: Tag.pages, "How the pages look")
        operation.answers = [.content(200, "text/css; charset=utf-8", "the style sheet")]
        return operation
    }

    static let operation = [
        text("/livez", "livez", "Whether the process is alive", "text/plain; charset=utf-8"),
        text("/readyz", "readyz", "Whether it can do its work", "text/plain; charset=utf-8"),
        text("/metrics", "metrics", "Numbers, as Prometheus reads them", "text/plain; version=0.0.4; charset=utf-8"),
    ]

    private static func text(_ path: String, _ name: String, _ summary: String, _ type: String) -> APIOperation {
        var operation = APIOperation(.get, path, name, tag: Tag.operation, summary)
        operation.answers = [.content(200, type, "it")]
        return operation
    }
}
