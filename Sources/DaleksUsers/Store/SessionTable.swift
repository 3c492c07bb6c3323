import DaleksAPI
import DaleksCore
import DaleksSQLite

/// When a log-in began and was used, which decides when it ends by itself.
struct SessionLife: Hashable, Sendable {
    let created: Timestamp
    let used: Timestamp
    /// When it ends whatever its use; nil: as the rule says.
    let until: Timestamp?
}

/// One log-in, with its family of refresh tokens.
struct SessionState: Sendable {
    enum Ending: String, Sendable {
        case revoked, expired
        /// A token that was used before came again: two hold it, and one of them stole it.
        case reused
    }

    /// The token before the current one, which may still be asked for its successor.
    struct Predecessor: Sendable {
        let digest: Digest
        /// When its successor was made.
        let rotated: Timestamp
        /// Of the request that made it, where the client named it.
        let request: Digest?
        /// The successor, which only who has the predecessor can read.
        let sealedSuccessor: [UInt8]
    }

    let id: SessionID
    let account: UserID
    let client: String
    let device: String
    let scope: Scopes
    /// The code of the region that the user logged in to.
    let region: String
    let created: Timestamp
    /// When a token of it was last used.
    var used: Timestamp
    let mark: [UInt8]
    /// Of the one token that is good.
    var current: Digest
    var predecessor: Predecessor?
    var ended: Timestamp?
    /// When it ends whatever its use; nil: as the rule says.
    var until: Timestamp?
    /// What it was begun with in place of the password.
    var appPassword: AppPasswordID?
    /// Whether it was begun with the password itself, and not with a code that the user gave to a program or a device.
    var isProven = false

    var life: SessionLife { SessionLife(created: created, used: used, until: until) }
}

/// `sessions`.
enum SessionTable {
    private static let names = [
        "id", "account", "client", "device", "scope", "region", "created", "used", "mark", "current", "previous",
        "rotated", "request", "sealed", "ended", "until", "app_password", "proven",
    ]
    private static let columns = names.joined(separator: ", ")
    /// For statements that ask other tables as well; a session's columns come first.
    static let columnsOfS = names.map { "s.\($0)" }.joined(separator: ", ")
    static let columnCount = names.count

    private static let byID = SQL("SELECT \(columns) FROM sessions WHERE id = ?1")
    private static let liveOfAccount = SQL(
        "SELECT \(columns) FROM sessions WHERE account = ?1 AND ended IS NULL ORDER BY used DESC, id"
    )

    static func insert(_ session: SessionState, _ db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO sessions (id, account, client, device, scope, region, created, used, mark, current, until,
                app_password, proven)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            """,
            [
                .id(session.id), .id(session.account), .text(session.client), .text(session.device),
                .text(session.scope.text), .text(session.region), .time(session.created), .time(session.used),
                .blob(session.mark), .digest(session.current), .optional(session.until),
                .optional(session.appPassword), .integer(session.isProven ? 1 : 0),
            ]
        )
    }

    static func load(_ id: SessionID, _ db: borrowing Connection) throws -> SessionState? {
        try db.first(byID, [.id(id)], session)
    }

    /// Those of an account that nobody ended, the one used last first.
    static func live(of account: UserID, _ db: borrowing Connection) throws -> [SessionState] {
        try db.query(liveOfAccount, [.id(account)], session)
    }

    /// Those that somebody let this program have.
    static func live(client: String, _ db: borrowing Connection) throws -> [SessionID] {
        try db.query("SELECT id FROM sessions WHERE client = ?1 AND ended IS NULL", [.text(client)]) { row in
            try row.identifier(0)
        }
    }

    /// From a row that begins with a session's columns.
    static func session(_ row: borrowing Row) throws -> SessionState {
        SessionState(
            id: try row.identifier(0),
            account: try row.identifier(1),
            client: try row.text(2),
            device: try row.text(3),
            scope: Scopes(words: try row.text(4)),
            region: try row.text(5),
            created: try row.timestamp(6),
            used: try row.timestamp(7),
            mark: try row.blob(8),
            current: try row.digest(9),
            predecessor: try predecessor(row),
            ended: try row.optionalTimestamp(14),
            until: try row.optionalTimestamp(15),
            appPassword: try row.optionalIdentifier(16),
            isProven: try row.bool(17)
        )
    }

    private static func predecessor(_ row: borrowing Row) throws -> SessionState.Predecessor? {
        guard let digest = try row.optionalDigest(10) else { return nil }
        return SessionState.Predecessor(
            digest: digest,
            rotated: try row.timestamp(11),
            request: try row.optionalDigest(12),
            sealedSuccessor: try row.blob(13)
        )
    }

    /// When it was used last, for those that are used without a new token.
    static func touch(_ id: SessionID, at time: Timestamp, _ db: borrowing Connection) throws {
        try db.execute("UPDATE sessions SET used = ?2 WHERE id = ?1 AND ended IS NULL", [.id(id), .time(time)])
    }

    /// The current token becomes the predecessor of a new one. False, and nothing changes, where it is not the current
    /// one any more or the session has ended: of any number at a time one gets true, and no statement before or after
    /// this one is needed for that.
    static func rotate(
        _ id: SessionID,
        to current: Digest,
        after predecessor: SessionState.Predecessor,
        _ db: borrowing Connection
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE sessions SET current = ?2, used = ?4, previous = ?3, rotated = ?4, request = ?5, sealed = ?6
            WHERE id = ?1 AND current = ?3 AND ended IS NULL
            """,
            [
                .id(id), .digest(current), .digest(predecessor.digest), .time(predecessor.rotated),
                .optional(predecessor.request), .blob(predecessor.sealedSuccessor),
            ]
        ) == 1
    }

    /// True where it had not ended before. What could still be read with an old token goes.
    static func end(
        _ id: SessionID,
        _ ending: SessionState.Ending,
        at time: Timestamp,
        _ db: borrowing Connection
    ) throws -> Bool {
        let accounts = try db.query(
            """
            UPDATE sessions SET ended = ?2, reason = ?3, sealed = NULL, previous = NULL
            WHERE id = ?1 AND ended IS NULL RETURNING account
            """,
            [.id(id), .time(time), .text(ending.rawValue)]
        ) { row -> UserID in try row.identifier(0) }
        guard let account = accounts.first else { return false }
        // Regions check tokens by themselves: whatever ends a session, they hear of it.
        try RevocationTable.add(.session(id, of: account), at: time, db)
        return true
    }

    /// Ends all of an account but that one; those that ended. A change of the address that one of them asked for ends
    /// with them: its link would give the account to whoever was thrown out.
    static func endAll(
        of account: UserID,
        except kept: SessionID? = nil,
        at time: Timestamp,
        _ db: borrowing Connection
    ) throws -> [SessionID] {
        try MailTable.forget(.email, of: account, db)
        let open: [SessionID] = try db.query(
            "SELECT id FROM sessions WHERE account = ?1 AND ended IS NULL",
            [.id(account)]
        ) { row in try row.identifier(0) }
        var ended: [SessionID] = []
        for id in open where id != kept {
            if try end(id, .revoked, at: time, db) { ended.append(id) }
        }
        return ended
    }

    // MARK: App passwords

    static func endAll(
        of password: AppPasswordID,
        account: UserID,
        at time: Timestamp,
        _ db: borrowing Connection
    ) throws {
        let open: [SessionID] = try db.query(
            "SELECT id FROM sessions WHERE account = ?1 AND app_password = ?2 AND ended IS NULL",
            [.id(account), .id(password)]
        ) { row in try row.identifier(0) }
        for id in open { _ = try end(id, .revoked, at: time, db) }
    }

    /// Rows that are of no use to anybody; the count of those that went.
    static func prune(
        createdBefore: Timestamp,
        endedBefore: Timestamp,
        limit: Int,
        _ db: borrowing Connection
    ) throws -> Int {
        try db.execute(
            """
            DELETE FROM sessions WHERE id IN (
                SELECT id FROM sessions WHERE created < ?1 UNION ALL SELECT id FROM sessions WHERE ended < ?2 LIMIT ?3
            )
            """,
            [.time(createdBefore), .time(endedBefore), .integer(limit)]
        )
    }
}
