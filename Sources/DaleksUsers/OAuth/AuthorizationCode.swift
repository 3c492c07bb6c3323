import DaleksCore
import DaleksCrypto
import DaleksSystem

/// What somebody agreed to, until the program fetches its tokens with the code.
struct AuthorizationCode: Sendable {
    let code: Digest
    let client: String
    let account: UserID
    /// As the request named it; the token request must name the same.
    let redirect: String?
    let challenge: String
    let scope: Scopes
    let resource: String?
    let nonce: String?
    /// When the user proved who they are.
    let authenticated: Timestamp
    let expires: Timestamp
    /// What the code was turned into, once it was.
    var session: SessionID?

    static func newText() -> String { "dlc_" + Base64.encode(Random.bytes(count: 32)) }

    static func digest(_ text: String) -> Digest { SHA256.digest(of: Array(text.utf8)) }
}
