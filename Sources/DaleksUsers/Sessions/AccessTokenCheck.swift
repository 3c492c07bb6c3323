import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem

/// Lets in who has an access token of a session that goes on. Tokens are for regions; this service takes those of any
/// of its own.
struct AccessTokenCheck: Sendable {
    let store: UsersStore
    let keys: KeyRing
    let issuer: TokenIssuer
    let time: TimeSource

    func account(of request: HTTPRequest) throws(APIError) -> Account {
        let claims = try verify(try request.bearerToken())
        let session: SessionID? = try? claims.reader.identifier("sid")
        guard let user = UserID(claims.subject), let session else { throw .invalidToken() }
        let account = try store.read { db -> Account? in
            guard let state = try SessionTable.load(session, db), state.ended == nil, state.account == user else {
                return nil
            }
            return try AccountTable.load(user, db)
        }
        guard let account else { throw .invalidToken() }
        return account
    }

    private func verify(_ token: String) throws(APIError) -> JWT.Claims {
        // Looked at before it is proved, only to know which of our regions to compare with; then everything is checked.
        guard let audience = Self.claimedAudience(token),
            let region = try store.read({ db in try RegionTable.open(filesURL: audience, db) })
        else { throw .invalidToken() }
        do throws(JWTError) {
            return try JWT.verify(
                token,
                keys: { [keys] in keys.key($0, $1) },
                type: TokenIssuer.tokenType,
                allowed: [.es256],
                now: time.wall,
                leeway: .zero,
                audience: region.filesURL,
                issuer: issuer.issuer
            )
        } catch {
            throw error == .expired ? .expiredToken : .invalidToken()
        }
    }

    private static func claimedAudience(_ token: String) -> String? {
        guard token.utf8.count <= Limits.Crypto.tokenBytesMax else { return nil }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Base64.decode(parts[1], .url),
            let json = try? JSONValue.parse(payload, limits: JSONLimits(depthMax: Limits.Crypto.tokenDepthMax))
        else { return nil }
        return try? JSONReader(json).string("aud")
    }
}
