import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService
import DaleksSystem

/// Which request asks what of the service: docs/wire.md, line by line.
struct UsersRouter: Sendable {
    let store: UsersStore
    let accounts: AccountParts
    let logIn: LogIn
    let oauth: OAuthRoutes
    let pages: PageRoutes
    let documents: DocumentRoutes
    let check: AccessTokenCheck
    let metrics: Metrics

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    var router: Router {
        var router = Router()
        router.addOperations(metrics: metrics) { [store] () throws(APIError) in try store.check() }
        accounts.add(to: &router)
        addLogIn(to: &router)
        oauth.add(to: &router)
        pages.add(to: &router)
        documents.add(to: &router)
        return router
    }

    private func addLogIn(to router: inout Router) {
        router.on(.post, Routes.Users.login, body: Self.body) { [logIn] request, _ throws(APIError) in
            let body = try request.json(LoginRequest.self, bytesMax: Limits.Users.bodyBytesMax)
            return try Later.answer({ (session: SessionAnswer) in .json(session) }) { answer throws(APIError) in
                try logIn.begin(body, from: Origin(request), then: answer)
            }
        }
    }
}
