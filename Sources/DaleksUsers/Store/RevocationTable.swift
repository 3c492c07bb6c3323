import DaleksAPI
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// `revocations`: what regions must stop believing, in the order in which it was committed.
enum RevocationTable {
    static func add(_ kind: DaleksAPI.Revocation.Kind, at time: Timestamp, _ db: borrowing Connection) throws {
        // Whoever takes a number holds the counter's row until the commit, so nobody commits a later number before.
        let number = try db.query(
            "UPDATE service_numbers SET value = value + 1 WHERE name = 'revocation' RETURNING value"
        ) { try $0.int64(0) }.first
        guard let number else { throw Row.Mismatch(column: 0) }
        let (word, account, session, moment): (String, UserID?, SessionID?, Timestamp?) =
            switch kind {
            case .session(let session, let user): ("session_revoked", user, session, nil)
            case .user(let user, let before): ("user_revoked", user, nil, before)
            case .deletion(let user, let purgeAfter): ("user_deleted", user, nil, purgeAfter)
            case .lock(let user): ("user_locked", user, nil, nil)
            case .unlock(let user): ("user_unlocked", user, nil, nil)
            case .everything(let before): ("all_revoked", nil, nil, before)
            case .unknown(let word): (word, nil, nil, nil)
            }
        if word == "user_locked" || word == "user_unlocked" {
            // Of each account the last one says all; it is kept for ever.
            try db.execute(
                "DELETE FROM revocations WHERE account = ?1 AND kind IN ('user_locked', 'user_unlocked')",
                [.optional(account)]
            )
        }
        try db.execute(
            "INSERT INTO revocations (number, time, kind, account, session, moment) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            [
                .integer(number), .time(time), .text(word), .optional(account), .optional(session), .optional(moment),
            ]
        )
    }

    static func page(after number: Int64, limit: Int, _ db: borrowing Connection) throws -> [DaleksAPI.Revocation] {
        try db.query(
            """
            SELECT number, time, kind, account, session, moment FROM revocations
            WHERE number > ?1 ORDER BY number LIMIT ?2
            """,
            [.integer(number), .integer(limit)],
            revocation
        )
    }

    /// The last number that was taken.
    static func head(_ db: borrowing Connection) throws -> Int64 {
        try db.first("SELECT value FROM service_numbers WHERE name = 'revocation'") { try $0.int64(0) } ?? 0
    }

    /// Which life of the database this is.
    static func epoch(_ db: borrowing Connection) throws -> Int64 {
        try db.first("SELECT value FROM service_numbers WHERE name = 'epoch'") { try $0.int64(0) } ?? 0
    }

    /// Draws the first epoch where there is none; of several processes that start at once, one's holds.
    static func begin(_ db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO service_numbers (name, value) VALUES ('epoch', ?1) ON CONFLICT (name) DO NOTHING",
            [.integer(newEpoch())]
        )
    }

    /// A cursor of before means nothing any more.
    static func beginAnew(_ db: borrowing Connection) throws -> Int64 {
        let epoch = newEpoch()
        try db.execute("UPDATE service_numbers SET value = ?1 WHERE name = 'epoch'", [.integer(epoch)])
        return epoch
    }

    private static func newEpoch() -> Int64 { Int64(Random.word() >> 16) }

    /// What concerned tokens that are long over; the count of those that went. Deletions and locks stay for ever.
    static func prune(before: Timestamp, limit: Int, _ db: borrowing Connection) throws -> Int {
        try db.execute(
            """
            DELETE FROM revocations WHERE number IN (
                SELECT number FROM revocations WHERE time < ?1 AND kind <> 'user_deleted'
                    AND kind NOT IN ('user_locked', 'user_unlocked') LIMIT ?2
            )
            """,
            [.time(before), .integer(limit)]
        )
    }

    private static func revocation(_ row: borrowing Row) throws -> DaleksAPI.Revocation {
        let kind: DaleksAPI.Revocation.Kind =
            switch try row.text(2) {
            case "session_revoked": .session(try row.identifier(4), of: try row.identifier(3))
            case "user_revoked": .user(try row.identifier(3), before: try row.timestamp(5))
            case "user_deleted": .deletion(try row.identifier(3), purgeAfter: try row.timestamp(5))
            case "user_locked": .lock(try row.identifier(3))
            case "user_unlocked": .unlock(try row.identifier(3))
            case "all_revoked": .everything(before: try row.timestamp(5))
            case let word: .unknown(word)
            }
        return DaleksAPI.Revocation(number: try row.int64(0), time: try row.timestamp(1), kind: kind)
    }
}
