import DaleksAPI
import DaleksCrypto
import DaleksJSON

/// What this service can do, for programs that know the standards and not us: RFC 8414, and the same with what OpenID
/// Connect Discovery adds.
struct Metadata: JSONEncodable, Sendable {
    let issuer: String

    private static let authentication = ["client_secret_basic", "client_secret_post"]

    func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("issuer", issuer)
            json.member("authorization_endpoint", issuer + Routes.Users.authorize)
            json.member("token_endpoint", issuer + Routes.Users.token)
            json.member("device_authorization_endpoint", issuer + Routes.Users.deviceAuthorization)
            json.member("revocation_endpoint", issuer + Routes.Users.revoke)
            json.member("introspection_endpoint", issuer + Routes.Users.introspect)
            json.member("userinfo_endpoint", issuer + Routes.Users.userInfo)
            json.member("jwks_uri", issuer + Routes.Users.keys)
            json.member("service_documentation", issuer + Routes.Users.documentation)
            json.member("scopes_supported", Scopes.known.words)
            json.member("response_types_supported", ["code"])
            json.member("response_modes_supported", ["query"])
            json.member("grant_types_supported", GrantKind.allCases.map(\.rawValue))
            json.member("code_challenge_methods_supported", [PKCE.method])
            json.member("authorization_response_iss_parameter_supported", true)
            json.member("token_endpoint_auth_methods_supported", Self.authentication + ["none"])
            json.member("revocation_endpoint_auth_methods_supported", Self.authentication + ["none"])
            json.member("introspection_endpoint_auth_methods_supported", Self.authentication)
            json.member("prompt_values_supported", ["none", "login", "consent", "select_account"])
            json.member("request_parameter_supported", false)
            json.member("request_uri_parameter_supported", false)
            json.member("claims_parameter_supported", false)
            json.member("subject_types_supported", ["public"])
            json.member("id_token_signing_alg_values_supported", SignatureAlgorithm.allCases.map(\.rawValue))
            json.member(
                "claims_supported",
                ["iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash", "sid", "name", "email"]
            )
        }
    }
}
