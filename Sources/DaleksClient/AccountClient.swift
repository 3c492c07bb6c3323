import DaleksCore
public import DaleksHTTP
public import DaleksHTTPClient
public import DaleksJSON

/// The users service as somebody who is logged in asks it, in the words of docs/wire.md. Calls block.
public struct AccountClient: Sendable {
    private let service: ServiceClient
    private let tokens: AccessTokens

    public init(url: String, http: HTTPClient, tokens: AccessTokens) {
        service = ServiceClient(baseURL: url, http: http)
        self.tokens = tokens
    }

    /// The answer's document; null where the answer has none. A token that is refused is replaced once. It is one for
    /// the users service alone: what a region is shown manages nothing.
    public func ask(
        _ method: HTTPMethod,
        _ path: String,
        _ body: JSONObject? = nil
    ) throws(ClientFailure) -> JSONValue {
        let token = try tokens.ownToken()
        do throws(ClientFailure) {
            return try ask(method, path, body, token)
        } catch {
            guard case .refused(status: 401, code: let code, detail: _) = error, code != "invalid_credentials" else {
                throw error
            }
            return try ask(method, path, body, try tokens.ownToken(insteadOf: token))
        }
    }

    private func ask(
        _ method: HTTPMethod,
        _ path: String,
        _ body: JSONObject?,
        _ token: String
    ) throws(ClientFailure) -> JSONValue {
        var fields = HTTPFields()
        fields.set("Authorization", "Bearer \(token)")
        if body != nil { fields.set("Content-Type", "application/json") }
        let response = try service.send(
            ClientRequest(
                method,
                service.baseURL + path,
                fields: fields,
                body: body.map { .bytes($0.jsonBytes) } ?? .empty,
                deadline: .seconds(30)
            )
        )
        return response.body.isEmpty ? .null : try service.decode(response)
    }
}
