import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// Puts the pages into the routing table. What fails behind them is told as a page.
struct PageRoutes: Sendable {
    let store: UsersStore
    let sessions: Sessions
    let clients: Clients
    let logIn: LogIn
    let changes: AccountChanges
    let appPasswords: AppPasswords
    let authorization: Authorization
    let devices: DeviceGrant
    let mail: MailPages
    let factors: SecondFactors
    let issuer: TokenIssuer
    let time: TimeSource

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    private typealias Handler = @Sendable (PageContext) throws(APIError) -> HTTPResponse

    func add(to router: inout Router) {
        router.on(.get, PagePaths.style, runs: .event) { _, _ in Stylesheet.response }
        let registration = RegistrationPages(registration: mail.registration)
        add(.get, RegistrationPages.path, &router) { context throws(APIError) in try registration.show(context) }
        add(.post, RegistrationPages.path, &router) { context throws(APIError) in try registration.submit(context) }
        let login = LoginPages(logIn: logIn, takesNewcomers: registration.isOpen)
        add(.get, PagePaths.login, &router) { context throws(APIError) in try login.show(context) }
        add(.post, PagePaths.login, &router) { context throws(APIError) in try login.submit(context) }
        add(.post, PagePaths.logout, &router) { context throws(APIError) in try login.leave(context) }
        let consent = ConsentPages(clients: clients, authorization: authorization, time: time)
        add(.get, Self.authorize, &router) { context throws(APIError) in try consent.ask(context) }
        add(.post, Self.authorize, &router) { context throws(APIError) in try consent.askAgain(context) }
        add(.post, PagePaths.consent, &router) { context throws(APIError) in try consent.decide(context) }
        let device = DevicePages(devices: devices)
        add(.get, PagePaths.device, &router) { context throws(APIError) in try device.show(context) }
        add(.post, PagePaths.device, &router) { context throws(APIError) in try device.find(context) }
        add(.post, PagePaths.deviceDecision, &router) { context throws(APIError) in try device.decide(context) }
        add(.get, Correspondence.verifyPath, &router) { context throws(APIError) in
            try mail.showVerification(context)
        }
        add(.post, Correspondence.verifyPath, &router) { context throws(APIError) in try mail.verify(context) }
        add(.get, Correspondence.resetPath, &router) { context throws(APIError) in try mail.showReset(context) }
        add(.post, Correspondence.resetPath, &router) { context throws(APIError) in try mail.set(context) }
        add(.get, MailPages.forgotPath, &router) { context throws(APIError) in try mail.showForgotten(context) }
        add(.post, MailPages.forgotPath, &router) { context throws(APIError) in try mail.ask(context) }
        let account = AccountPages(sessions: sessions, clients: clients, appPasswords: appPasswords)
        let secrets = SecretPages(changes: changes, appPasswords: appPasswords)
        add(.post, PagePaths.password, &router) { context throws(APIError) in try secrets.setPassword(context) }
        add(.post, PagePaths.makeAppPassword, &router) { context throws(APIError) in try secrets.make(context) }
        add(.post, PagePaths.endAppPassword, &router) { context throws(APIError) in try secrets.end(context) }
        let factor = FactorPages(factors: factors)
        add(.post, PagePaths.factor, &router) { context throws(APIError) in try factor.propose(context) }
        add(.post, PagePaths.confirmFactor, &router) { context throws(APIError) in try factor.confirm(context) }
        add(.post, PagePaths.recoveryCodes, &router) { context throws(APIError) in try factor.renewCodes(context) }
        add(.post, PagePaths.endFactor, &router) { context throws(APIError) in try factor.end(context) }
        add(.get, PagePaths.account, &router) { context throws(APIError) in try account.show(context) }
        add(.post, PagePaths.endSession, &router) { context throws(APIError) in try account.endSession(context) }
        add(.post, PagePaths.endOtherSessions, &router) { context throws(APIError) in
            try account.endOthers(context)
        }
    }

    static let authorize = "/oauth/authorize"

    private func add(_ method: HTTPMethod, _ path: String, _ router: inout Router, _ handler: @escaping Handler) {
        router.on(method, path, body: Self.body) { request, _ in answer(request, handler) }
    }

    private func answer(_ request: HTTPRequest, _ handler: Handler) -> HTTPResponse {
        // The issuer is known once the port is, which is after the routes were made.
        let site = Site(issuer: issuer.issuer)
        let context = PageContext(
            request,
            BrowserSessions(store: store, sessions: sessions, site: site, time: time)
        )
        guard site.isUsable else {
            return context.failure(
                .forbidden("pages are served over https only: the operator sets a certificate, or an https issuer")
            )
        }
        do throws(APIError) { return try handler(context) } catch { return context.failure(error) }
    }
}
