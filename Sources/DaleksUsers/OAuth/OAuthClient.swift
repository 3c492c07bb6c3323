import DaleksCore
import DaleksCrypto

/// A program that may ask for tokens.
struct OAuthClient: Hashable, Sendable {
    let id: String
    /// What people are shown when it asks them.
    let name: String
    /// Of its secret; nil: a public client, whose secret anybody could read out of the program.
    let secret: Digest?
    let redirects: [RedirectURI]
    let grants: Set<GrantKind>
    /// All that it may ever ask for.
    let scope: Scopes
    let created: Timestamp
    /// What its ID tokens are signed with.
    var idTokenAlgorithm = SignatureAlgorithm.es256

    var isPublic: Bool { secret == nil }

    /// The programs of this house. They have no secret of their own: whoever has the program has it.
    static let house = OAuthClient(
        id: "daleks",
        name: "Daleks",
        secret: nil,
        redirects: ["http://127.0.0.1/callback", "http://[::1]/callback"].compactMap { RedirectURI($0) },
        grants: [.authorizationCode, .deviceCode, .refreshToken],
        scope: .known,
        created: .zero
    )
}

/// The ways to a token that a client may be allowed.
enum GrantKind: String, CaseIterable, Sendable {
    case authorizationCode = "authorization_code"
    case deviceCode = "urn:ietf:params:oauth:grant-type:device_code"
    case clientCredentials = "client_credentials"
    case refreshToken = "refresh_token"

    static func words(_ kinds: Set<GrantKind>) -> String {
        allCases.filter { kinds.contains($0) }.map(\.rawValue).joined(separator: " ")
    }
}
