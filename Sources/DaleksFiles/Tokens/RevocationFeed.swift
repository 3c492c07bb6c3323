import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Follows the users service's feed of revocations, so that a token that is checked here dies within seconds of its
/// session. While the users service is away the region goes on with what it knows, also over a restart.
///
/// ## Concurrency
/// One thread asks and applies. `isStopping` is guarded by itself; the answer to a request comes on the client's thread
/// and is handed over under `answer`.
final class RevocationFeed: Sendable {
    private let revocations: Revocations
    private let url: String
    private let credentials: ServiceCredentials
    private let client: HTTPClient
    private let store: TreeStore
    private let logger: Logger
    /// Whoever waits for changes with a token that holds no longer is sent away.
    private let onChange: @Sendable () -> Void
    private let interval: Duration
    /// How long what a deleted user owned stays at least, from when we hear of it.
    private let deletedKept: Duration
    private let isStopping = Condition(false)
    private let finished = Gate()

    init(
        _ revocations: Revocations,
        usersURL: String,
        credentials: ServiceCredentials,
        client: HTTPClient,
        store: TreeStore,
        interval: Duration = Limits.Files.revocationInterval,
        deletedKept: Duration = .zero,
        logger: Logger,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.revocations = revocations
        url = usersURL + Routes.Users.revocations
        self.credentials = credentials
        self.client = client
        self.store = store
        self.interval = interval
        self.deletedKept = deletedKept
        self.logger = logger
        self.onChange = onChange
        // The thread holds this until `stop`, which every service calls.
        _ = Thread(name: "revocations") { [self] in
            run()
            finished.open()
        }
    }

    func stop() {
        isStopping.withLock { $0 = true }
        isStopping.broadcast()
        finished.wait()
    }

    private func run() {
        var cursor = restore()
        repeat {
            do throws(APIError) {
                cursor = try follow(from: cursor)
            } catch {
                logger.warning("the revocations could not be kept", ["error": error.detail])
            }
        } while isStopping.wait(timeout: interval, until: { $0 ? true : nil }) == nil
    }

    /// All that is new, page by page. Where to go on.
    private func follow(from cursor: String?) throws(APIError) -> String? {
        var cursor = cursor
        while let page = ask(after: cursor) {
            revocations.apply(page.events)
            if !page.events.isEmpty { onChange() }
            let now = store.time.wall
            if page.cursor != cursor {
                try store.write(.normal) { db in
                    for event in page.events {
                        try RevocationTable.save(event, db)
                        try noteErasure(event, at: now, db)
                    }
                    try RevocationTable.forget(before: now - Limits.Files.revocationKept, db)
                    try SecretTable.replace("revocation-cursor", Array(page.cursor.utf8), db)
                }
                revocations.forget(before: now - Limits.Files.revocationKept)
            }
            cursor = page.cursor
            if page.events.isEmpty { break }
        }
        return cursor
    }

    /// Nil where the users service does not answer, or answers what is no feed.
    private func ask(after cursor: String?) -> RevocationPage? {
        let query = cursor.map { "?after=\(PercentEncoding.encode($0))" } ?? ""
        var request = ClientRequest(
            .get,
            url + query,
            sink: .memory(max: Limits.Files.revocationPageBytesMax),
            deadline: Limits.Files.keyFetchDeadline,
            retry: .idempotent(maxAttempts: 2)
        )
        request.fields.set("Authorization", credentials.authorization)
        do {
            let response = try client.send(request)
            guard response.status == .ok else {
                logger.warning("the users service did not tell revocations", ["status": response.status])
                return nil
            }
            return try RevocationPage(json: try JSONValue.parse(response.body))
        } catch {
            logger.info("the users service did not tell revocations", ["error": "\(error)"])
            return nil
        }
    }

    private func noteErasure(_ event: Revocation, at now: Timestamp, _ db: borrowing StoreConnection) throws {
        guard case .deletion(let user, let purgeAfter) = event.kind else { return }
        try ErasureTable.insert(user, due: max(purgeAfter, now + deletedKept), db)
    }

    private func restore() -> String? {
        guard
            let known = try? store.read({ db in
                (try RevocationTable.all(db), try SecretTable.load("revocation-cursor", db))
            })
        else { return nil }
        revocations.apply(known.0)
        // Those that a version before us heard of.
        let now = store.time.wall
        do throws(APIError) {
            try store.write(.normal) { db in for event in known.0 { try noteErasure(event, at: now, db) } }
        } catch {
            logger.warning("the deletions could not be entered", ["error": error.detail])
        }
        return known.1.map { String(decoding: $0, as: UTF8.self) }
    }
}

/// What a files service proves itself with to the users service.
struct ServiceCredentials: Sendable {
    let id: String
    let secret: String

    var authorization: String { "Basic \(Base64.encode(Array("\(id):\(secret)".utf8), .standard))" }
}

/// `revocations`: what was told, for starts while the users service is away.
enum RevocationTable {
    static func save(_ event: Revocation, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            INSERT INTO revocations (number, time, body) VALUES (?1, ?2, ?3)
            ON CONFLICT (number) DO UPDATE SET time = excluded.time, body = excluded.body
            """,
            [.integer(event.number), .time(event.time), .blob(event.jsonBytes)]
        )
    }

    static func all(_ db: borrowing StoreConnection) throws -> [Revocation] {
        try db.query("SELECT body FROM revocations ORDER BY number") { row in
            do {
                return try Revocation(json: try JSONValue.parse(try row.blob(0)))
            } catch is JSONError {
                throw RecordError(record: "revocation")
            }
        }
    }

    /// Deletions and locks are kept: what is erased stays erased, and who is locked stays locked.
    static func forget(before time: Timestamp, _ db: borrowing StoreConnection) throws {
        let old = try db.query("SELECT number, body FROM revocations WHERE time < ?1", [.time(time)]) {
            (try $0.int64(0), try $0.blob(1))
        }
        for (number, body) in old {
            if let event = try? Revocation(json: try JSONValue.parse(body)) {
                switch event.kind {
                case .deletion, .lock, .unlock: continue
                case .session, .user, .everything, .unknown: break
                }
            }
            try db.execute("DELETE FROM revocations WHERE number = ?1", [.integer(number)])
        }
    }
}
