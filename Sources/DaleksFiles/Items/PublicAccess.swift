import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksSQLite
import DaleksSystem

/// Links and signed URLs: what lets people without an account read, for as long as who made them could still share it.
///
/// ## Concurrency
/// `key` is guarded by itself; `hashing` lets one password be hashed at a time, since each takes 19 MiB and a core.
final class PublicAccess: Sendable {
    /// Nobody in particular: whoever asks without a name. No grant is ever made to it.
    static let nobody = UserID(high: 0, low: 0)

    /// Asked with every use: whose things they are may have been locked or deleted since.
    let revocations: Revocations
    private let store: TreeStore
    private let key = Lock<[UInt8]?>(nil)
    private let hashing = Condition(false)
    /// Where clients reach us; known once the port is.
    private let base = Lock("")

    init(store: TreeStore, revocations: Revocations = Revocations()) {
        self.store = store
        self.revocations = revocations
    }

    func setBase(_ url: String) { base.withLock { $0 = url } }
    var baseURL: String { base.withLock { $0 } }

    // MARK: Links

    func makeLink(_ request: LinkRequest, to id: NodeID, by caller: UserID) throws(APIError) -> LinkRecord {
        let now = store.time.wall
        if let expires = request.expires, expires <= now { throw .invalid("the link would have expired") }
        // Looked at before the hash is paid for, and again with it in hand.
        _ = try store.read { db in try store.shareable(id, by: caller, locking: false, db) }
        let password = try request.password.map { text throws(APIError) in try hash(text) }
        let token = Random.bytes(count: 32)
        var record = LinkRecord(
            id: .random(at: now),
            node: id,
            kind: request.kind,
            hasPassword: password != nil,
            created: now,
            expires: request.expires,
            downloadsMax: request.downloadsMax,
            downloads: 0,
            lastUsed: nil
        )
        try store.write { db in
            let seen = try store.shareable(id, by: caller, db)
            guard
                try LinkTable.links(on: id, limit: Limits.Files.linksOfNodeMax, db).count < Limits.Files.linksOfNodeMax
            else { throw APIError.invalid("there are too many links to this already") }
            let link = StoredLink(record: record, tree: seen.tree.number, issuer: caller, password: password)
            try LinkTable.insert(link, token: SHA256.digest(of: token), db)
            try AuditTable.record(.linkMade, in: seen.tree.number, at: now, by: caller, node: id, db)
        }
        record.url = "\(baseURL)/l/\(Base64.encode(token))"
        return record
    }

    func links(of caller: UserID) throws(APIError) -> [LinkRecord] {
        try store.read { db in
            try LinkTable.links(of: caller, limit: Limits.Wire.listPageCountMax, db).map(\.record)
        }
    }

    /// All links to a node, whoever made them, for who may share it.
    func links(on id: NodeID, for caller: UserID) throws(APIError) -> [LinkRecord] {
        try store.read { db in
            _ = try store.shareable(id, by: caller, locking: false, db)
            return try LinkTable.links(on: id, limit: Limits.Files.linksOfNodeMax, db).map(\.record)
        }
    }

    /// A link that the caller made, or to something that is his.
    func link(_ id: LinkID, for caller: UserID) throws(APIError) -> (record: LinkRecord, uses: [LinkTable.Use]) {
        try store.read { db in
            let link = try Self.managed(id, by: caller, db)
            return (link.record, try LinkTable.uses(of: id, db))
        }
    }

    func revokeLink(_ id: LinkID, by caller: UserID) throws(APIError) {
        let now = store.time.wall
        try store.write { db in
            let link = try Self.managed(id, by: caller, db)
            try LinkTable.delete(id, db)
            try AuditTable.record(.linkRevoked, in: link.tree, at: now, by: caller, node: link.record.node, db)
        }
    }

    private static func managed(
        _ id: LinkID,
        by caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> StoredLink {
        guard let link = try LinkTable.load(id, db) else { throw APIError.notFound("there is no such link") }
        let isOwner = try TreeTable.load(number: link.tree, db)?.owner == caller
        guard link.issuer == caller || isOwner else { throw APIError.notFound("there is no such link") }
        return link
    }

    /// Who comes with a token, and what it leads to now.
    struct Visit: Sendable {
        let link: StoredLink
        let node: NodeRecord
        let name: Name?
    }

    func visit(_ token: String) throws(APIError) -> Visit {
        guard let bytes = Base64.decode(token, .url), bytes.count == 32 else { throw Self.noLink }
        let now = store.time.wall
        let digest = SHA256.digest(of: bytes)
        return try store.read { db in
            guard let link = try LinkTable.load(token: digest, db), !link.isOver(at: now),
                try !ErasureTable.contains(link.issuer, db)
            else { throw Self.noLink }
            let seen: TreeStore.Seen
            do {
                seen = try store.shareable(link.record.node, by: link.issuer, locking: false, db)
            } catch let error as APIError {
                // Its maker may not share this any more.
                guard error.code == .notFound || error.code == .forbidden else { throw error }
                throw Self.noLink
            }
            guard !revocations.isBarred(link.issuer), !revocations.isBarred(seen.tree.owner) else { throw Self.noLink }
            return Visit(
                link: link,
                node: seen.node.record(owner: seen.tree.owner),
                name: try PathFinder.name(of: seen.node, db)
            )
        }
    }

    private static var noLink: APIError { .notFound("this link does not exist, has ended or was revoked") }

    /// A ticket for a link with a password: each try is counted before it is looked at.
    func open(_ visit: Visit, password: String) throws(APIError) -> String {
        guard let stored = visit.link.password else { return try ticket(for: visit.link.record.id) }
        let now = store.time.wall
        let isAllowed = try store.write { db in
            try LinkTable.takeAttempt(
                visit.link.record.id,
                at: now,
                max: Limits.Files.linkAttemptsMax,
                per: Limits.Files.linkAttemptsInterval,
                db
            )
        }
        guard isAllowed else {
            throw .rateLimited(
                "too many wrong passwords: wait a while",
                retryAfterSeconds: Int(Limits.Files.linkAttemptsInterval.components.seconds)
            )
        }
        guard try hashed({ (try? Argon2id.verify(password: Array(password.utf8), against: stored)) ?? false }) else {
            throw APIError(.forbidden, "the password is wrong")
        }
        try store.write(.normal) { db in try LinkTable.forgiveAttempts(visit.link.record.id, db) }
        return try ticket(for: visit.link.record.id)
    }

    /// Throws where the link has a password and the visitor brings no good ticket.
    func requireTicket(_ text: String?, for visit: Visit) throws(APIError) {
        guard visit.link.password != nil else { return }
        guard let text, let bytes = Base64.decode(text, .url), bytes.count == 40 else {
            throw .forbidden("this link has a password: open it first")
        }
        let seconds = bytes[..<8].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        let expected = try mac("ticket", "\(visit.link.record.id)", "\(seconds)", "\(visit.link.password ?? "")")
        guard constantTimeEqual(Array(bytes[8...]), expected), seconds > store.time.wall.seconds else {
            throw .forbidden("the ticket has ended: open the link again")
        }
    }

    private func ticket(for id: LinkID) throws(APIError) -> String {
        let seconds = (store.time.wall + Limits.Files.linkTicketKept).seconds
        let password = try store.read { db in try LinkTable.load(id, db)?.password } ?? ""
        let head = (0..<8).map { UInt8(truncatingIfNeeded: seconds >> Int64(56 - 8 * $0)) }
        return Base64.encode(head + (try mac("ticket", "\(id)", "\(seconds)", password)))
    }

    /// Counts a download and remembers who it was; throws where there is none left.
    func countDownload(_ visit: Visit, by request: HTTPRequest) throws(APIError) {
        let now = store.time.wall
        let agent = request.fields["User-Agent"].map { String($0.prefix(200)) }
        try store.write(visit.link.record.downloadsMax == nil ? .normal : .full) { db in
            guard try LinkTable.count(visit.link.record.id, at: now, db) else {
                throw APIError.gone("this link has been used as often as it may be")
            }
            try LinkTable.recordUse(
                of: visit.link.record.id,
                at: now,
                from: "\(request.client)",
                agent: agent,
                db
            )
        }
    }

    // MARK: Public items

    /// What anybody may see, unless its owner is locked or gone.
    func requirePublic(_ id: NodeID) throws(APIError) {
        let owner = try store.node(id, for: Self.nobody).owner
        guard !revocations.isBarred(owner) else { throw TreeStore.hidden }
    }

    // MARK: Signed URLs

    func sign(_ request: SigningRequest, _ id: NodeID, by caller: UserID) throws(APIError) -> SignedURL {
        let now = store.time.wall
        let expires = (now + .seconds(request.expiresInSeconds)).seconds
        let file = try store.file(id, at: request.content, for: caller)
        try store.write { db in
            let seen = try store.shareable(id, by: caller, db)
            try AuditTable.record(.urlSigned, in: seen.tree.number, at: now, by: caller, node: id, db)
        }
        let mac = try mac("GET", "\(id)", "\(file.content)", "\(expires)", "\(caller)")
        let path = "/s/\(id)/\(file.content)/\(expires)/\(caller)/\(Base64.encode(mac))"
        return SignedURL(url: baseURL + path, expires: Timestamp(seconds: expires))
    }

    struct Signed: Sendable {
        let node: NodeID
        let content: Revision
        let issuer: UserID
    }

    func checkSigned(_ parameters: PathParameters) throws(APIError) -> Signed {
        let refusal = APIError.forbidden("this URL was altered or has expired")
        guard let node = NodeID(try parameters.text("id")), let content = Int64(try parameters.text("content")),
            let expires = Int64(try parameters.text("expires")), let issuer = UserID(try parameters.text("issuer")),
            let given = Base64.decode(try parameters.text("mac"), .url)
        else { throw refusal }
        let expected = try mac("GET", "\(node)", "\(content)", "\(expires)", "\(issuer)")
        guard constantTimeEqual(given, expected), expires > store.time.wall.seconds else { throw refusal }
        // Only while its maker may share the file.
        let owner: UserID
        do {
            owner = try store.read { db in
                guard try !ErasureTable.contains(issuer, db) else { throw refusal }
                return try store.shareable(node, by: issuer, locking: false, db).tree.owner
            }
        } catch {
            guard error.code == .notFound || error.code == .forbidden else { throw error }
            throw refusal
        }
        guard !revocations.isBarred(issuer), !revocations.isBarred(owner) else { throw refusal }
        return Signed(node: node, content: content, issuer: issuer)
    }

    /// Each part with its length, so that no two lists of parts are one message.
    private func mac(_ parts: String...) throws(APIError) -> [UInt8] {
        var message: [UInt8] = []
        for part in parts {
            message += Array("\(part.utf8.count):".utf8)
            message += Array(part.utf8)
        }
        return HMAC.sha256(key: try signingKey(), message)
    }

    private func signingKey() throws(APIError) -> [UInt8] {
        if let known = key.withLock({ $0 }) { return known }
        let fresh = Random.bytes(count: 32)
        let made = try store.write { db in
            try SecretTable.make("signing", fresh, db)
            return try SecretTable.load("signing", db) ?? fresh
        }
        key.withLock { $0 = made }
        return made
    }

    // MARK: Passwords

    private func hash(_ password: String) throws(APIError) -> String {
        let hash = try hashed { try? Argon2id.hash(password: Array(password.utf8)) }
        guard let hash else { throw .unavailable("the password could not be hashed now") }
        return hash
    }

    private func hashed<Answer>(_ body: () -> Answer) throws(APIError) -> Answer {
        let turn: Bool? = hashing.wait(timeout: .seconds(2)) { isBusy in
            if isBusy { return nil }
            isBusy = true
            return true
        }
        guard turn != nil else { throw .unavailable("too many passwords are being checked", retryAfterSeconds: 2) }
        defer {
            hashing.withLock { $0 = false }
            hashing.signal()
        }
        return body()
    }
}
