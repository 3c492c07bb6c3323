import DaleksCore
import DaleksSQLite

/// What the link in a mail stands for.
struct MailToken: Sendable {
    enum Purpose: String, Sendable {
        /// Makes the account.
        case register
        /// Gives an account this address.
        case email
        /// Lets a new password be set.
        case reset
    }

    let purpose: Purpose
    var account: UserID?
    let email: Email
    var name: String?
    var handle: Handle?
    var passwordHash: String?
    let expires: Timestamp
}

/// A mail that is to go out.
struct Letter: Hashable, Sendable {
    let recipient: Email
    let subject: String
    let body: String
}

/// `mail_tokens` and `outbox`.
enum MailTable {
    static func insert(_ token: MailToken, digest: Digest, _ db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO mail_tokens (token, purpose, account, email, name, handle, password, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """,
            [
                .digest(digest), .text(token.purpose.rawValue), .optional(token.account), .text(token.email.text),
                .optional(token.name), .optional(token.handle?.text), .optional(token.passwordHash),
                .time(token.expires),
            ]
        )
    }

    static func load(_ digest: Digest, at now: Timestamp, _ db: borrowing Connection) throws -> MailToken? {
        try db.first(
            """
            SELECT purpose, account, email, name, handle, password, expires FROM mail_tokens
            WHERE token = ?1 AND expires > ?2
            """,
            [.digest(digest), .time(now)]
        ) { row in
            guard let purpose = MailToken.Purpose(rawValue: try row.text(0)) else { throw Row.Mismatch(column: 0) }
            return MailToken(
                purpose: purpose,
                account: try row.optionalIdentifier(1),
                email: Email(stored: try row.text(2)),
                name: try row.optionalText(3),
                handle: try row.optionalText(4).map { Handle(stored: $0) },
                passwordHash: try row.optionalText(5),
                expires: try row.timestamp(6)
            )
        }
    }

    /// False where somebody else took it.
    static func take(_ digest: Digest, _ db: borrowing Connection) throws -> Bool {
        try db.execute("DELETE FROM mail_tokens WHERE token = ?1", [.digest(digest)]) == 1
    }

    static func forget(_ purpose: MailToken.Purpose, of account: UserID, _ db: borrowing Connection) throws {
        try db.execute(
            "DELETE FROM mail_tokens WHERE account = ?1 AND purpose = ?2",
            [.id(account), .text(purpose.rawValue)]
        )
    }

    /// Other accounts that were to be made for this address.
    static func forgetRegistrations(of email: Email, _ db: borrowing Connection) throws {
        try db.execute(
            "DELETE FROM mail_tokens WHERE email = ?1 AND purpose = ?2",
            [.text(email.text), .text(MailToken.Purpose.register.rawValue)]
        )
    }

    static func prune(before: Timestamp, limit: Int, _ db: borrowing Connection) throws -> Int {
        try db.execute(
            "DELETE FROM mail_tokens WHERE token IN (SELECT token FROM mail_tokens WHERE expires < ?1 LIMIT ?2)",
            [.time(before), .integer(limit)]
        )
    }

    // MARK: The outbox

    static func post(_ letter: Letter, at now: Timestamp, _ db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO outbox (recipient, subject, body, created, due, attempts) VALUES (?1, ?2, ?3, ?4, ?4, 0)",
            [.text(letter.recipient.text), .text(letter.subject), .text(letter.body), .time(now)]
        )
    }

    struct Posted: Sendable {
        let number: Int64
        let letter: Letter
        let created: Timestamp
        let attempts: Int
    }

    /// One that is due, which nobody else gets before `again`.
    static func claim(
        at now: Timestamp,
        again: Timestamp,
        _ db: borrowing Connection
    ) throws -> Posted? {
        let number = try db.first(
            "SELECT number FROM outbox WHERE due <= ?1 ORDER BY due, number LIMIT 1",
            [.time(now)]
        ) { try $0.int64(0) }
        guard let number else { return nil }
        return try db.query(
            """
            UPDATE outbox SET due = ?2, attempts = attempts + 1 WHERE number = ?1
            RETURNING recipient, subject, body, created, attempts
            """,
            [.integer(number), .time(again)]
        ) { row in
            Posted(
                number: number,
                letter: Letter(
                    recipient: Email(stored: try row.text(0)),
                    subject: try row.text(1),
                    body: try row.text(2)
                ),
                created: try row.timestamp(3),
                attempts: try row.int(4)
            )
        }.first
    }

    static func postpone(_ number: Int64, until due: Timestamp, _ db: borrowing Connection) throws {
        try db.execute("UPDATE outbox SET due = ?2 WHERE number = ?1", [.integer(number), .time(due)])
    }

    static func remove(_ number: Int64, _ db: borrowing Connection) throws {
        try db.execute("DELETE FROM outbox WHERE number = ?1", [.integer(number)])
    }

    static func isDue(at now: Timestamp, _ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM outbox WHERE due <= ?1 LIMIT 1", [.time(now)])
    }
}
