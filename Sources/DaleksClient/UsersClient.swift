public import DaleksAPI
import DaleksCore
import DaleksHTTP
public import DaleksHTTPClient
import DaleksJSON

/// The users service, as programs of ours ask it. Calls block.
public struct UsersClient: Sendable {
    private let service: ServiceClient

    public init(url: String, http: HTTPClient) {
        service = ServiceClient(baseURL: url, http: http)
    }

    public var url: String { service.baseURL }

    /// Throws with the code `verify` where the account comes about by a link in a mail.
    public func register(_ request: RegistrationRequest) throws(ClientFailure) -> UserRecord {
        let response = try post(Routes.Users.users, request)
        guard response.status != .accepted else {
            throw .refused(
                status: HTTPStatus.accepted.code,
                code: "verify",
                detail: "a mail is on its way to \(request.email): open the link in it, then log in"
            )
        }
        return try service.decode(response)
    }

    /// With the token that the service's first start printed.
    public func makeFirstAdmin(
        token: String,
        _ request: RegistrationRequest
    ) throws(ClientFailure) -> UserRecord {
        var body = JSONObject()
        body["token"] = .string(token)
        body["email"] = .string(request.email)
        body["password"] = .string(request.password)
        body["name"] = .string(request.name)
        body["handle"] = request.handle.map { .string($0) }
        return try service.decode(try post("/v1/admin/first", body))
    }

    public func logIn(_ request: LoginRequest) throws(ClientFailure) -> SessionAnswer {
        try service.decode(try post(Routes.Users.login, request))
    }

    public func regions() throws(ClientFailure) -> [RegionRecord] {
        let request = ClientRequest(
            .get,
            service.baseURL + Routes.Users.regions,
            deadline: .seconds(10),
            retry: .idempotent(maxAttempts: 3)
        )
        let list: RegionList = try service.decode(try service.send(request))
        return list.regions
    }

    /// What the service calls itself: its address in tokens, which need not be the one it is reached by from here.
    public func issuer() throws(ClientFailure) -> String {
        let request = ClientRequest(
            .get,
            service.baseURL + Routes.Users.metadata,
            deadline: .seconds(10),
            retry: .idempotent(maxAttempts: 3)
        )
        let document: ServiceMetadata = try service.decode(try service.send(request))
        return document.issuer
    }

    /// A new access token, and the refresh token's successor. The same `requestID` again, after an answer that never
    /// came, gets the same successor.
    public func refresh(
        _ refreshToken: String,
        requestID: String,
        resource: String?
    ) throws(ClientFailure) -> SessionAnswer {
        var form = [("grant_type", "refresh_token"), ("refresh_token", refreshToken), ("request_id", requestID)]
        if let resource { form.append(("resource", resource)) }
        do throws(ClientFailure) {
            return try service.decode(try postForm(Routes.Users.token, form))
        } catch {
            if error.code == "invalid_grant" { throw .loggedOut("the session has ended") }
            throw error
        }
    }

    public func revoke(_ refreshToken: String) throws(ClientFailure) {
        _ = try postForm(Routes.Users.revoke, [("token", refreshToken)])
    }

    public func me(accessToken: String) throws(ClientFailure) -> UserRecord {
        var fields = HTTPFields()
        fields.set("Authorization", "Bearer \(accessToken)")
        let request = ClientRequest(.get, service.baseURL + Routes.Users.me, fields: fields, deadline: .seconds(10))
        return try service.decode(try service.send(request))
    }

    private func post(_ path: String, _ body: some JSONEncodable) throws(ClientFailure) -> ClientResponse {
        var fields = HTTPFields()
        fields.set("Content-Type", "application/json")
        return try service.send(
            ClientRequest(
                .post,
                service.baseURL + path,
                fields: fields,
                body: .bytes(body.jsonBytes),
                deadline: .seconds(30)
            )
        )
    }

    func decode<Answer: JSONDecodable>(_ response: ClientResponse) throws(ClientFailure) -> Answer {
        try service.decode(response)
    }

    func postForm(_ path: String, _ items: [(String, String)]) throws(ClientFailure) -> ClientResponse {
        var fields = HTTPFields()
        fields.set("Content-Type", "application/x-www-form-urlencoded")
        let form = items.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return try service.send(
            ClientRequest(
                .post,
                service.baseURL + path,
                fields: fields,
                body: .bytes(Array(form.utf8)),
                deadline: .seconds(30)
            )
        )
    }
}

/// RFC 8414, as far as it is read here.
private struct ServiceMetadata: JSONDecodable {
    let issuer: String

    init(json: JSONValue) throws(JSONError) { issuer = try JSONReader(json).string("issuer") }
}
