import DaleksCore
import DaleksHTTPServer
import DaleksSQLite

/// Where a request came from, for the audit log.
struct Origin: Sendable {
    let client: String
    /// What one customer of a network has: attempts are counted for it.
    let site: String
    let request: String

    init(_ request: HTTPRequest) {
        client = request.client.description
        site = request.client.address.site.description
        self.request = request.requestID
    }

    /// Of a request that was answered before.
    init(client: String, site: String, request: String) {
        self.client = client
        self.site = site
        self.request = request
    }
}

/// `audit`: who did what, from where, when, and how it ended. What was typed is never in it: people type passwords into
/// the field for the e-mail.
enum AuditTable {
    enum Action: String, Sendable {
        case register, login, refresh, revoke
        /// Of accounts, by their owner or by an administrator.
        case verify, change, password, reset, totp, recovery, delete, export, lock, unlock, role, quota, create
        case appPassword = "app_password"
        /// The home region.
        case home
        /// Of regions.
        case region, enrol
        /// What is for administrators only.
        case inspect, restored
        case firstAdmin = "first_admin"
        /// A program was let in by somebody: through a code, or as a device.
        case authorize, device
        /// A program was registered or removed; a key was ordered or taken back.
        case client, key
    }

    enum Outcome: String, Sendable {
        case done, refused, reused
    }

    static func add(
        _ action: Action,
        _ outcome: Outcome,
        account: UserID?,
        session: SessionID? = nil,
        actor: UserID? = nil,
        detail: String? = nil,
        from origin: Origin?,
        at time: Timestamp,
        _ db: borrowing Connection
    ) throws {
        try db.execute(
            """
            INSERT INTO audit (time, action, outcome, account, session, client, request, actor, detail)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            """,
            [
                .time(time), .text(action.rawValue), .text(outcome.rawValue), .optional(account), .optional(session),
                .optional(origin?.client), .optional(origin?.request), .optional(actor), .optional(detail),
            ]
        )
    }

    /// Leaves the newest; the count of those that went.
    static func prune(keeping count: Int64, limit: Int, _ db: borrowing Connection) throws -> Int {
        try db.execute(
            """
            DELETE FROM audit WHERE number IN (
                SELECT number FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?1 ORDER BY number LIMIT ?2
            )
            """,
            [.integer(count), .integer(limit)]
        )
    }
}
