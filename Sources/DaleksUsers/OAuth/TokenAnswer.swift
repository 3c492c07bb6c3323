import DaleksAPI
import DaleksJSON

/// What the token endpoint gives (RFC 6749, 5.1), with what our own programs read besides.
struct TokenAnswer: JSONEncodable, Sendable {
    let accessToken: String
    let expiresInSeconds: Int64
    var refreshToken: String?
    var idToken: String?
    let scope: String
    var region: RegionRecord?

    init(
        accessToken: String,
        expiresInSeconds: Int64,
        refreshToken: String? = nil,
        idToken: String? = nil,
        scope: String,
        region: RegionRecord? = nil
    ) {
        self.accessToken = accessToken
        self.expiresInSeconds = expiresInSeconds
        self.refreshToken = refreshToken
        self.idToken = idToken
        self.scope = scope
        self.region = region
    }

    init(_ session: SessionAnswer) {
        self.init(
            accessToken: session.accessToken,
            expiresInSeconds: session.expiresInSeconds,
            refreshToken: session.refreshToken,
            scope: session.scope,
            region: session.region
        )
    }

    func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("access_token", accessToken)
            json.member("token_type", "Bearer")
            json.member("expires_in", expiresInSeconds)
            if let refreshToken { json.member("refresh_token", refreshToken) }
            if let idToken { json.member("id_token", idToken) }
            json.member("scope", scope)
            if let region { json.member("region", region) }
        }
    }
}
