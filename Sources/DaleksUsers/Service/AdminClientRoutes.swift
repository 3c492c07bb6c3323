import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// What administrators ask about programs and keys.
struct AdminClientRoutes: Sendable {
    let clients: Clients
    let keys: KeyRing

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    func add(to router: inout Router, by admin: Authenticator<Caller>) {
        addClients(to: &router, admin)
        addKeys(to: &router, admin)
    }

    private func addClients(to router: inout Router, _ admin: Authenticator<Caller>) {
        router.onAuthenticated(.get, "/v1/admin/clients", by: admin) { [clients] _, _ throws(APIError) in
            let all = try clients.all
            return HTTPResponse.object { json in
                json.key("clients")
                json.beginArray()
                for client in all { json.object { Self.write(client, to: &$0) } }
                json.endArray()
            }.notStored
        }
        router.onAuthenticated(.post, "/v1/admin/clients", by: admin, body: Self.body) {
            [clients, keys] request, asked throws(APIError) in
            let registration = try Self.registration(try request.members())
            let registered = try clients.register(
                registration,
                by: asked.principal.account.id,
                from: Origin(request)
            )
            // Its first key is published before the program asks for anything.
            if registration.idTokenAlgorithm != .es256 { _ = try keys.turn() }
            return Self.answer(registered, .created)
        }
        router.onAuthenticated(.post, "/v1/admin/clients/:id/secret", by: admin) {
            [clients] request, asked throws(APIError) in
            let renewed = try clients.renewSecret(
                of: try asked.parameters.text("id"),
                by: asked.principal.account.id,
                from: Origin(request)
            )
            return Self.answer(renewed, .ok)
        }
        router.onAuthenticated(.delete, "/v1/admin/clients/:id", by: admin) {
            [clients] request, asked throws(APIError) in
            try clients.remove(
                try asked.parameters.text("id"),
                by: asked.principal.account.id,
                from: Origin(request)
            )
            return .empty(.noContent)
        }
    }

    private func addKeys(to router: inout Router, _ admin: Authenticator<Caller>) {
        router.onAuthenticated(.get, "/v1/admin/keys", by: admin) { [keys] _, _ in
            HTTPResponse.object { json in
                json.key("keys")
                json.beginArray()
                for key in keys.records { json.object { Self.write(key, to: &$0) } }
                json.endArray()
            }.notStored
        }
        router.onAuthenticated(.post, "/v1/admin/keys/rotate", by: admin) {
            [keys] request, asked throws(APIError) in
            try keys.rotate(by: asked.principal.account.id, from: Origin(request))
            return HTTPResponse.object(.accepted) { $0.member("status", "ordered") }.notStored
        }
        router.onAuthenticated(.delete, "/v1/admin/keys/:id", by: admin) {
            [keys] request, asked throws(APIError) in
            let isRevoked = try keys.revoke(
                try asked.parameters.text("id"),
                by: asked.principal.account.id,
                from: Origin(request)
            )
            guard isRevoked else { throw .notFound("there is no such key") }
            return .empty(.noContent)
        }
    }

    private static func registration(_ body: JSONReader) throws(APIError) -> Clients.Registration {
        let (registration, words, algorithm) = try reading { () throws(JSONError) in
            (
                Clients.Registration(
                    id: try body.optionalString("id"),
                    name: try body.string("name"),
                    isPublic: try body.optionalBool("is_public") ?? false,
                    redirects: try body.optional("redirects") == nil ? [] : try body.strings("redirects"),
                    grants: [],
                    scope: try body.string("scope")
                ),
                try body.strings("grants", countMax: 16), try body.optionalString("id_token_alg")
            )
        }
        var wanted = registration
        if let algorithm {
            guard let known = SignatureAlgorithm(rawValue: algorithm) else {
                throw .invalid("ID tokens are signed with one of: \(algorithms)")
            }
            wanted.idTokenAlgorithm = known
        }
        for word in words {
            guard let kind = GrantKind(rawValue: word) else {
                throw .invalid("a grant is one of: \(GrantKind.words(Set(GrantKind.allCases)))")
            }
            wanted.grants.insert(kind)
        }
        return wanted
    }

    private static let algorithms = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")

    private static func answer(_ registered: Clients.Registered, _ status: HTTPStatus) -> HTTPResponse {
        HTTPResponse.object(status) { json in
            write(registered.client, to: &json)
            json.member("secret", ifPresent: registered.secret)
        }.notStored
    }

    private static func write(_ client: OAuthClient, to json: inout JSONWriter) {
        json.member("id", client.id)
        json.member("name", client.name)
        json.member("is_public", client.isPublic)
        json.member("redirects", client.redirects.map(\.text))
        json.member("grants", GrantKind.allCases.filter { client.grants.contains($0) }.map(\.rawValue))
        json.member("scope", client.scope.text)
        json.member("id_token_alg", client.idTokenAlgorithm.rawValue)
        json.member("created", client.created.nanoseconds)
    }

    private static func write(_ key: KeyRecord, to json: inout JSONWriter) {
        json.member("id", key.id)
        json.member("alg", key.publicKey.algorithm.rawValue)
        json.member("stage", key.stage.rawValue)
        json.member("announced", key.announced.nanoseconds)
        json.member("activated", ifPresent: key.activated?.nanoseconds)
        json.member("retired", ifPresent: key.retired?.nanoseconds)
    }
}
