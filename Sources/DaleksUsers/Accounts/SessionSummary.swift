import DaleksCore
import DaleksJSON
import DaleksSQLite

/// A log-in as lists show it.
struct SessionSummary: Sendable {
    let id: SessionID
    let account: UserID
    let client: String
    let device: String
    let scope: String
    let region: String
    let created: Timestamp
    let used: Timestamp
    let appPassword: AppPasswordID?

    /// Those that go on, the one used last first.
    static func live(
        of account: UserID,
        _ rule: RefreshRule,
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws -> [SessionSummary] {
        try db.query(
            """
            SELECT id, account, client, device, scope, region, created, used, app_password FROM sessions
            WHERE account = ?1 AND ended IS NULL AND created > ?2 AND used > ?3 ORDER BY used DESC, id LIMIT ?4
            """,
            [
                .id(account), .time(now - rule.lifetime), .time(now - rule.idle),
                .integer(Limits.Users.sessionListMax),
            ]
        ) { row in
            SessionSummary(
                id: try row.identifier(0),
                account: try row.identifier(1),
                client: try row.text(2),
                device: try row.text(3),
                scope: try row.text(4),
                region: try row.text(5),
                created: try row.timestamp(6),
                used: try row.timestamp(7),
                appPassword: try row.optionalIdentifier(8)
            )
        }
    }

    func encode(to json: inout JSONWriter, current: SessionID?) {
        json.object { json in
            json.member("id", id)
            json.member("user", account)
            json.member("client", client)
            json.member("device", device)
            json.member("scope", scope)
            json.member("region", region)
            json.member("created", created.nanoseconds)
            json.member("used", used.nanoseconds)
            json.member("app_password", ifPresent: appPassword)
            if let current { json.member("is_current", id == current) }
        }
    }
}
