import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// `audit`: what happened to who may see what, and what went for good.
enum AuditTable {
    enum Act: String {
        case granted, revoked, left, published, unpublished
        case versionRestored = "version_restored"
        case versionDeleted = "version_deleted"
        case trashRestored = "trash_restored"
        case trashPurged = "trash_purged"
        case trashEmptied = "trash_emptied"
        case linkMade = "link_made"
        case linkRevoked = "link_revoked"
        case urlSigned = "url_signed"
        case transferOffered = "transfer_offered"
        case transferred
    }

    static func record(
        _ act: Act,
        in tree: TreeNumber,
        at time: Timestamp,
        by actor: UserID?,
        node: NodeID? = nil,
        subject: UserID? = nil,
        detail: String? = nil,
        _ db: borrowing StoreConnection
    ) throws {
        try db.execute(
            """
            INSERT INTO audit (tree, time, act, actor, node, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """,
            [
                .integer(tree), .time(time), .text(act.rawValue), .optional(actor), .optional(node),
                .optional(subject), .optional(detail),
            ]
        )
    }

    struct Event {
        let number: Int64
        let time: Timestamp
        let act: String
        let actor: UserID?
        let node: NodeID?
        let subject: UserID?
        let detail: String?
    }

    /// The latest first.
    static func events(
        of tree: TreeNumber,
        before number: Int64?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [Event] {
        try db.query(
            """
            SELECT number, time, act, actor, node, subject, detail FROM audit
            WHERE tree = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3
            """,
            [.integer(tree), .integer(number ?? .max), .integer(limit)]
        ) { row in
            Event(
                number: try row.int64(0),
                time: try row.timestamp(1),
                act: try row.text(2),
                actor: try row.optionalIdentifier(3),
                node: try row.optionalIdentifier(4),
                subject: try row.optionalIdentifier(5),
                detail: try row.optionalText(6)
            )
        }
    }

    static func forget(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> Int {
        try db.execute(
            "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE time < ?1 LIMIT ?2)",
            [.time(time), .integer(limit)]
        )
    }
}

extension TreeStore {
    /// What concerns the caller's own tree.
    func audit(of caller: UserID, before number: Int64?, limit: Int) throws(APIError) -> HTTPResponse {
        let tree = try tree(of: caller).number
        let events = try read { db in try AuditTable.events(of: tree, before: number, limit: limit, db) }
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("events")
            writer.array { writer in
                for event in events {
                    writer.object { writer in
                        writer.member("number", event.number)
                        writer.member("time", event.time.nanoseconds)
                        writer.member("act", event.act)
                        writer.member("node", ifPresent: event.node)
                        writer.member("by", ifPresent: event.actor)
                        writer.member("who", ifPresent: event.subject)
                        writer.member("detail", ifPresent: event.detail)
                    }
                }
            }
            writer.member("next", ifPresent: events.count == limit ? events.last?.number : nil)
        }
        return .json(bytes: writer.bytes)
    }

    /// Claims and events that nobody needs any more.
    func forgetOldRows(limit: Int) throws(APIError) -> Int {
        let now = time.wall
        return try write(.normal) { db in
            max(
                try TransferTable.forget(before: now, limit: limit, db),
                try LeaseTable.forget(before: now, limit: limit, db),
                try ClaimTable.forget(before: now - Limits.Files.claimKept, limit: limit, db),
                try AuditTable.forget(before: now - Limits.Files.auditKept, limit: limit, db)
            )
        }
    }
}
