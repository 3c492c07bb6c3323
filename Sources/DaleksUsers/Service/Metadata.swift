import DaleksAPI
import DaleksJSON

/// What this service can do, for programs that know OAuth and not us (RFC 8414).
struct Metadata: JSONEncodable, Sendable {
    let issuer: String

    func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("issuer", issuer)
            json.member("token_endpoint", issuer + Routes.Users.token)
            json.member("revocation_endpoint", issuer + Routes.Users.revoke)
            json.member("jwks_uri", issuer + Routes.Users.keys)
            json.member("scopes_supported", Scopes.all.words)
            // Required even of those that have no authorization endpoint.
            json.member("response_types_supported", [String]())
            json.member("grant_types_supported", ["refresh_token"])
            json.member("token_endpoint_auth_methods_supported", ["none"])
            json.member("revocation_endpoint_auth_methods_supported", ["none"])
        }
    }
}
