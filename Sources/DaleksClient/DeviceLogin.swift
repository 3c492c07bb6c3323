public import DaleksAPI
import DaleksCore
public import DaleksJSON
import DaleksSystem

/// Letters that somebody types into a browser, anywhere, to let this machine in (RFC 8628).
public struct DeviceInvitation: Sendable {
    /// What is typed, and where.
    public let letters: String
    public let page: String
    /// The page with the letters in it, for who can follow a link.
    public let pageWithLetters: String
    public let lifetimeSeconds: Int64
    fileprivate let code: String
    fileprivate let pauseSeconds: Int64
}

extension DeviceInvitation: JSONDecodable {
    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        letters = try reader.string("user_code")
        page = try reader.string("verification_uri")
        pageWithLetters = try reader.optionalString("verification_uri_complete") ?? page
        lifetimeSeconds = try reader.integer("expires_in", in: 1...86_400)
        code = try reader.string("device_code")
        pauseSeconds = try reader.optionalInteger("interval", in: 1...3_600) ?? 5
    }
}

extension UsersClient {
    /// The programs of this house, as the users service calls them.
    private static let client = "daleks"
    private static let scope = "files:read files:write files:share offline_access"

    public func invite(device: String) throws(ClientFailure) -> DeviceInvitation {
        try decode(
            postForm(
                Routes.Users.deviceAuthorization,
                [("client_id", Self.client), ("scope", Self.scope), ("device_name", device)]
            )
        )
    }

    /// Waits until somebody decided, or the letters are good no more. `resource`: the region's files URL; nil: where
    /// the account is at home. No password was seen, so such a log-in does not manage the account.
    public func logIn(_ invitation: DeviceInvitation, resource: String?) throws(ClientFailure) -> SessionAnswer {
        var form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", invitation.code),
            ("client_id", Self.client),
        ]
        if let resource { form.append(("resource", resource)) }
        var pause = Duration.seconds(invitation.pauseSeconds)
        let gate = Gate()
        while true {
            gate.wait(timeout: pause)
            do throws(ClientFailure) {
                return try decode(postForm(Routes.Users.token, form))
            } catch {
                switch error {
                // The line may come back while the letters are good; after that the service says that they are not.
                case .unreachable: continue
                case .refused(_, "authorization_pending", _): continue
                case .refused(_, "slow_down", _): pause += .seconds(5)
                default: throw error
                }
            }
        }
    }

    /// The same with whose it is, which the users service tells to who asks with a token for itself.
    public func whole(_ answer: SessionAnswer) throws(ClientFailure) -> SessionAnswer {
        guard let token = answer.refreshToken else { throw .malformed("a log-in came without a refresh token") }
        let own = try refresh(token, requestID: Hex.encode(Random.bytes(count: 16)), resource: try issuer())
        var whole = answer
        whole.refreshToken = own.refreshToken ?? token
        whole.user = try me(accessToken: own.accessToken)
        return whole
    }
}
