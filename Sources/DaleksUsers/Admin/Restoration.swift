import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What is done after the database came back from a backup.
///
/// A backup knows sessions and app passwords that were taken back after it was made, and nothing in it tells which. So
/// none of them lets anybody in any more: everybody logs in again. The feed gets a new epoch, and tells every region to
/// refuse all tokens of before.
struct Restoration: Sendable {
    let store: UsersStore
    let time: TimeSource
    let logger: Logger

    /// The new epoch.
    @discardableResult
    func run(by actor: UserID?, from origin: Origin?) throws(APIError) -> Int64 {
        let now = time.wall
        let epoch = try store.write { db in
            try db.execute(
                """
                UPDATE sessions SET ended = ?1, reason = 'revoked', sealed = NULL, previous = NULL WHERE ended IS NULL
                """,
                [.time(now)]
            )
            try db.execute("DELETE FROM app_passwords")
            try db.execute("DELETE FROM mail_tokens")
            try db.execute("DELETE FROM enrolments")
            try db.execute("DELETE FROM first_admin_tokens")
            let epoch = try RevocationTable.beginAnew(db)
            // Whoever logs in again in this second must not be refused for it.
            try RevocationTable.add(.everything(before: now - .seconds(1)), at: now, db)
            try AuditTable.add(.restored, .done, account: nil, actor: actor, from: origin, at: now, db)
            return epoch
        }
        logger.warning("everybody has to log in again: the database came back from a backup", ["epoch": epoch])
        return epoch
    }
}
