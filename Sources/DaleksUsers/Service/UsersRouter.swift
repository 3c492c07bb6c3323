import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem

/// Which request asks what of the service: docs/wire.md, line by line.
struct UsersRouter: Sendable {
    let store: UsersStore
    let registration: Registration
    let logIn: LogIn
    let oauth: OAuthRoutes
    let pages: PageRoutes
    let check: AccessTokenCheck
    let metrics: Metrics

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    var router: Router {
        var router = Router()
        router.addOperations(metrics: metrics) { [store] () throws(APIError) in try store.check() }
        addAccounts(to: &router)
        oauth.add(to: &router)
        pages.add(to: &router)
        return router
    }

    private func addAccounts(to router: inout Router) {
        router.on(.post, Routes.Users.users, body: Self.body) { [registration] request, _ throws(APIError) in
            let body = try request.json(RegistrationRequest.self, bytesMax: Limits.Users.bodyBytesMax)
            return try Self.answered(status: .created) { answer throws(APIError) in
                try registration.begin(body, from: Origin(request), then: answer)
            }
        }
        router.on(.post, Routes.Users.login, body: Self.body) { [logIn] request, _ throws(APIError) in
            let body = try request.json(LoginRequest.self, bytesMax: Limits.Users.bodyBytesMax)
            return try Self.answered(status: .ok) { answer throws(APIError) in
                try logIn.begin(body, from: Origin(request), then: answer)
            }
        }
        let members = Authenticator<Account>(naming: { $0.record.id.description }) { [check] request throws(APIError) in
            try check.account(of: request)
        }
        router.onAuthenticated(.get, Routes.Users.me, by: members) { _, asked in
            HTTPResponse.json(asked.principal.record).notStored
        }
        router.on(.get, Routes.Users.regions) { [store] _, _ throws(APIError) in
            HTTPResponse.json(RegionList(try store.read { db in try RegionTable.allOpen(db) }))
                .with("Cache-Control", "max-age=30")
        }
    }

    /// Parks the request until the hasher answers. What is refused before that is refused at once.
    private static func answered<Body: JSONEncodable & Sendable>(
        status: HTTPStatus,
        _ begin: (@escaping @Sendable (Result<Body, APIError>) -> Void) throws(APIError) -> Void
    ) throws(APIError) -> HTTPResponse {
        let answer = LaterAnswer()
        try begin { result in
            switch result {
            case .success(let body): answer.give { $0.complete(HTTPResponse.json(body, status: status).notStored) }
            case .failure(let error): answer.give { $0.fail(error) }
            }
        }
        return .parked { answer.park($0) }
    }
}
