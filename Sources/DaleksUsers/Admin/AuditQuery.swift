import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSQLite

/// One line of the audit log.
struct AuditEntry: Sendable {
    let number: Int64
    let time: Timestamp
    let action: String
    let outcome: String
    let account: UserID?
    let session: SessionID?
    let actor: UserID?
    let client: String?
    let request: String?
    let detail: String?

    func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("number", number)
            json.member("time", time.nanoseconds)
            json.member("action", action)
            json.member("outcome", outcome)
            json.member("user", ifPresent: account)
            json.member("session", ifPresent: session)
            json.member("actor", ifPresent: actor)
            json.member("client", ifPresent: client)
            json.member("request", ifPresent: request)
            json.member("detail", ifPresent: detail)
        }
    }
}

/// Which lines somebody wants to see, the newest first.
struct AuditQuery: Sendable {
    var account: UserID?
    var action: String?
    var outcome: String?
    var since: Timestamp?
    var until: Timestamp?
    /// Lines before this one.
    var before: Int64?
    var limit = 100

    func run(_ db: borrowing Connection) throws -> [AuditEntry] {
        var conditions: [String] = []
        var bindings: [Value] = []
        // The texts are ours; what was asked is bound.
        func add(_ condition: String, _ value: Value?) {
            guard let value else { return }
            bindings.append(value)
            conditions.append("\(condition) ?\(bindings.count)")
        }
        add("account =", account.map { .id($0) })
        add("action =", action.map { .text($0) })
        add("outcome =", outcome.map { .text($0) })
        add("time >=", since.map { .time($0) })
        add("time <", until.map { .time($0) })
        add("number <", before.map { .integer($0) })
        bindings.append(.integer(limit))
        let filter = conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))"
        let sql = SQL(
            """
            SELECT number, time, action, outcome, account, session, actor, client, request, detail FROM audit \(filter)
            ORDER BY number DESC LIMIT ?\(bindings.count)
            """
        )
        return try db.query(sql, bindings) { row in
            AuditEntry(
                number: try row.int64(0),
                time: try row.timestamp(1),
                action: try row.text(2),
                outcome: try row.text(3),
                account: try row.optionalIdentifier(4),
                session: try row.optionalIdentifier(5),
                actor: try row.optionalIdentifier(6),
                client: try row.optionalText(7),
                request: try row.optionalText(8),
                detail: try row.optionalText(9)
            )
        }
    }
}
