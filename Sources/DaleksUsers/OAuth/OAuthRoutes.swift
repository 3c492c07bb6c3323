import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// Puts the endpoints that programs ask directly into the routing table.
struct OAuthRoutes: Sendable {
    let authentication: ClientAuthentication
    let tokens: TokenEndpoint
    let devices: DeviceGrant
    let revocation: Revocation
    let introspection: Introspection
    let userInfo: UserInfo
    let keys: KeyRing
    let issuer: TokenIssuer
    let keySetAgeSeconds: Int64

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    private typealias Handler = @Sendable (OAuthForm, HTTPRequest) throws(OAuthFailure) -> HTTPResponse

    func add(to router: inout Router) {
        add(Routes.Users.token, &router) { [tokens] form, request throws(OAuthFailure) in
            .json(try tokens.answer(form, request))
        }
        add(Routes.Users.deviceAuthorization, &router) {
            [authentication, devices] form, request throws(OAuthFailure) in
            let client = try authentication.client(of: request, form)
            return .json(try devices.invite(form, client, from: Origin(request)))
        }
        add(Routes.Users.revoke, &router) { [revocation] form, request throws(OAuthFailure) in
            try revocation.answer(form, request)
            return .empty(.ok)
        }
        addIntrospection(to: &router)
        for method in [HTTPMethod.get, .post] {
            router.on(method, Routes.Users.userInfo, body: Self.body) { [userInfo] request, _ throws(APIError) in
                try userInfo.answer(request)
            }
        }
        addPublished(to: &router)
    }

    private func addPublished(to router: inout Router) {
        let age = "public, max-age=\(keySetAgeSeconds)"
        router.on(.get, Routes.Users.keys, runs: .event) { [keys] _, _ in
            let published = keys.published
            return HTTPResponse.bytes(published.body, contentType: "application/jwk-set+json")
                .with("Cache-Control", age).with("ETag", "\"\(published.tag)\"")
        }
        for path in [Routes.Users.metadata, Routes.Users.openIDMetadata] {
            router.on(.get, path, runs: .event) { [issuer] _, _ in
                HTTPResponse.json(Metadata(issuer: issuer.issuer)).with("Cache-Control", age)
            }
        }
    }

    /// On the event thread: it reads the request there and parks it, so that no thread is woken for each.
    private func addIntrospection(to router: inout Router) {
        router.on(.post, Routes.Users.introspect, runs: .event, body: Self.body) {
            [introspection] request, _ throws(APIError) in
            try Self.answering { () throws(OAuthFailure) in
                let question = try Introspection.question(try OAuthForm(request), request)
                return .parked { parked in
                    introspection.ask(question) { answer in
                        do throws(APIError) {
                            parked.complete(
                                try Self.answering { () throws(OAuthFailure) in
                                    .json(bytes: try answer.get().jsonBytes)
                                }
                            )
                        } catch {
                            parked.fail(error)
                        }
                    }
                }
            }
        }
    }

    private func add(_ path: String, _ router: inout Router, _ handler: @escaping Handler) {
        router.on(.post, path, body: Self.body) { request, _ throws(APIError) in
            try Self.answering { () throws(OAuthFailure) in try handler(try OAuthForm(request), request) }
        }
    }

    /// An answer that nobody on the way keeps, or the error as the protocol spells it.
    private static func answering(_ work: () throws(OAuthFailure) -> HTTPResponse) throws(APIError) -> HTTPResponse {
        do throws(OAuthFailure) {
            return try work().notStored.with("Pragma", "no-cache")
        } catch {
            switch error {
            case .refused(let error): return error.response.notStored.with("Pragma", "no-cache")
            case .api(let error): throw error
            }
        }
    }
}
