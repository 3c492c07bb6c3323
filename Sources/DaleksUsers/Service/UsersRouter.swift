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
    let sessions: Sessions
    let issuer: TokenIssuer
    let keys: KeyRing
    let keySetAgeSeconds: Int64
    let check: AccessTokenCheck
    let metrics: Metrics

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    var router: Router {
        var router = Router()
        router.addOperations(metrics: metrics) { [store] () throws(APIError) in try store.check() }
        addAccounts(to: &router)
        addTokens(to: &router)
        addPublished(to: &router)
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

    private func addTokens(to router: inout Router) {
        router.on(.post, Routes.Users.token, body: Self.body) { [sessions] request, _ throws(APIError) in
            try Self.oauth(request) { form throws(OAuthFailure) in
                guard try form.required("grant_type") == "refresh_token" else {
                    throw .refused(OAuthError(.unsupportedGrantType, "only refresh_token is granted here"))
                }
                let answer = try sessions.refresh(
                    Sessions.RefreshRequest(
                        token: try form.required("refresh_token"),
                        requestID: form["request_id"],
                        resource: form["resource"],
                        scope: form["scope"],
                        origin: Origin(request)
                    )
                )
                return .json(answer)
            }
        }
        router.on(.post, Routes.Users.revoke, body: Self.body) { [sessions] request, _ throws(APIError) in
            try Self.oauth(request) { form throws(OAuthFailure) in
                let token = try form.required("token")
                do throws(APIError) {
                    try sessions.revoke(token, from: Origin(request))
                } catch {
                    throw .api(error)
                }
                return .empty(.ok)
            }
        }
    }

    private func addPublished(to router: inout Router) {
        let age = "public, max-age=\(keySetAgeSeconds)"
        router.on(.get, Routes.Users.keys, runs: .event) { [keys] _, _ in
            let published = keys.published
            return HTTPResponse.bytes(published.body, contentType: "application/jwk-set+json")
                .with("Cache-Control", age).with("ETag", "\"\(published.tag)\"")
        }
        router.on(.get, Routes.Users.metadata, runs: .event) { [issuer] _, _ in
            HTTPResponse.json(Metadata(issuer: issuer.issuer)).with("Cache-Control", age)
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

    private static func oauth(
        _ request: HTTPRequest,
        _ body: (OAuthForm) throws(OAuthFailure) -> HTTPResponse
    ) throws(APIError) -> HTTPResponse {
        do throws(OAuthFailure) {
            let form = try OAuthForm(request)
            if let client = form["client_id"], client != TokenIssuer.clientID {
                throw .refused(OAuthError(.invalidClient, "the client is not known here"))
            }
            return try body(form).notStored.with("Pragma", "no-cache")
        } catch {
            switch error {
            case .refused(let error): return error.response.notStored
            case .api(let error): throw error
            }
        }
    }
}
