import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem

/// The programs that may ask for tokens: those of this house, and those that an administrator registered.
struct Clients: Sendable {
    let store: UsersStore
    let time: TimeSource

    /// What an administrator says about a program.
    struct Registration: Sendable {
        /// Nil draws one.
        var id: String?
        var name: String
        var isPublic: Bool
        var redirects: [String]
        var grants: Set<GrantKind>
        var scope: String
        var idTokenAlgorithm = SignatureAlgorithm.es256
    }

    /// A program as it was registered, with the secret that is never shown again.
    struct Registered: Sendable {
        let client: OAuthClient
        let secret: String?
    }

    func register(_ registration: Registration, by admin: UserID?, from origin: Origin) throws(APIError) -> Registered {
        let now = time.wall
        let secret = registration.isPublic ? nil : Self.newSecret()
        let client = try Self.check(registration, secret: secret.map(Self.digest), at: now)
        let isNew = try store.write { db in
            guard try OAuthClientTable.count(db) < Limits.Users.clientCountMax else {
                throw APIError(.conflict, "there are too many clients; remove one first")
            }
            guard try OAuthClientTable.insert(client, db) else { return false }
            try AuditTable.add(.client, .done, account: admin, from: origin, at: now, db)
            return true
        }
        guard isNew else { throw APIError(.alreadyExists, "there is a client of this id") }
        return Registered(client: client, secret: secret)
    }

    /// Another secret; the old one is good no more.
    func renewSecret(of id: String, by admin: UserID?, from origin: Origin) throws(APIError) -> Registered {
        let (secret, now) = (Self.newSecret(), time.wall)
        let client = try store.write { db -> OAuthClient? in
            guard try OAuthClientTable.setSecret(Self.digest(secret), of: id, db) else { return nil }
            try AuditTable.add(.client, .done, account: admin, from: origin, at: now, db)
            return try OAuthClientTable.load(id, db)
        }
        guard let client else { throw .notFound("there is no confidential client of this id") }
        return Registered(client: client, secret: secret)
    }

    /// The program is known no more, and what people let it do ends.
    func remove(_ id: String, by admin: UserID?, from origin: Origin) throws(APIError) {
        let now = time.wall
        let isRemoved = try store.write { db in
            guard try OAuthClientTable.delete(id, db) else { return false }
            for session in try SessionTable.live(client: id, db) {
                _ = try SessionTable.end(session, .revoked, at: now, db)
            }
            try AuditTable.add(.client, .done, account: admin, from: origin, at: now, db)
            return true
        }
        guard isRemoved else { throw .notFound("there is no client of this id") }
    }

    var all: [OAuthClient] {
        get throws(APIError) { [.house] + (try store.read { db in try OAuthClientTable.all(db) }) }
    }

    func find(_ id: String) throws(APIError) -> OAuthClient? {
        if id == OAuthClient.house.id { return .house }
        guard Self.isID(id) else { return nil }
        return try store.readOnce { db in try OAuthClientTable.load(id, db) }
    }

    // MARK: What may be registered

    private static func check(
        _ registration: Registration,
        secret: Digest?,
        at now: Timestamp
    ) throws(APIError) -> OAuthClient {
        let id = registration.id ?? "client-" + Hex.encode(Random.bytes(count: 8))
        guard isID(id), id != OAuthClient.house.id, id != BrowserSessions.clientID else {
            throw .invalid("a client's id has 1 to 64 letters, digits, dots, dashes and underscores, and is not taken")
        }
        // Its tokens name it where a person's name theirs: nobody may have to ask which of the two is meant.
        guard UserID(id) == nil else { throw .invalid("a client's id must not look like that of a person") }
        guard DaleksUsers.Registration.isShown(registration.name, bytesMax: Limits.Users.nameBytesMax) else {
            throw .invalid("a client's name has 1 to \(Limits.Users.nameBytesMax) bytes and no control characters")
        }
        let grants = registration.grants
        guard !grants.isEmpty else { throw .invalid("a client without a grant could never ask for anything") }
        guard !registration.isPublic || !grants.contains(.clientCredentials) else {
            throw .invalid("a public client has no credentials of its own")
        }
        let scope = Scopes(words: registration.scope)
        guard scope.isSubset(of: .known), !scope.isEmpty else {
            throw .invalid("the scope is of these words: \(Scopes.known.text)")
        }
        return OAuthClient(
            id: id,
            name: registration.name,
            secret: secret,
            redirects: try redirects(registration),
            grants: grants,
            scope: scope,
            created: now,
            idTokenAlgorithm: registration.idTokenAlgorithm
        )
    }

    private static func redirects(_ registration: Registration) throws(APIError) -> [RedirectURI] {
        guard registration.redirects.count <= Limits.Users.redirectCountMax else {
            throw .invalid("a client has at most \(Limits.Users.redirectCountMax) redirect URIs")
        }
        guard registration.redirects.isEmpty != registration.grants.contains(.authorizationCode) else {
            throw .invalid("a client has redirect URIs exactly where it may use authorization codes")
        }
        var redirects: [RedirectURI] = []
        for text in registration.redirects {
            guard let redirect = RedirectURI(text) else {
                throw .invalid(
                    "a redirect URI is https, or http to 127.0.0.1 or [::1], or has a scheme such as com.example.app; "
                        + "it has no fragment"
                )
            }
            redirects.append(redirect)
        }
        return redirects
    }

    static func isID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    // MARK: Secrets

    private static func newSecret() -> String { "dls_" + Base64.encode(Random.bytes(count: 32)) }

    /// A quick hash is enough: nobody guesses 256 random bits.
    private static func digest(_ secret: String) -> Digest { SHA256.digest(of: Array(secret.utf8)) }

    static func isSecret(_ text: String, of client: OAuthClient) -> Bool {
        guard let secret = client.secret else { return false }
        return isSecret(text, of: secret)
    }

    static func isSecret(_ text: String, of secret: Digest) -> Bool {
        constantTimeEqual(digest(text).bytes, secret.bytes)
    }
}
