import DaleksAPI
import DaleksCore
import DaleksHTTP
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

    static func forget(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> Int {
        try db.execute(
            "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE time < ?1 LIMIT ?2)",
            [.time(time), .integer(limit)]
        )
    }
}

extension TreeStore {
    /// Claims and events that nobody needs any more.
    func forgetOldRows(limit: Int) throws(APIError) -> Int {
        let now = time.wall
        return try write(.normal) { db in
            max(
                try ClaimTable.forget(before: now - Limits.Files.claimKept, limit: limit, db),
                try AuditTable.forget(before: now - Limits.Files.auditKept, limit: limit, db)
            )
        }
    }
}
