import DaleksCore
import DaleksCrypto
import DaleksSQLite

/// What is counted, such as the log-ins that were tried for one address, whether or not there is such an account.
struct AttemptSubject: Sendable {
    let bytes: [UInt8]

    init(_ email: Email) { self.init("log-in", email.text) }

    /// Whatever comes from one customer of a network.
    init(site: String) { self.init("site", site) }

    /// Registrations, or mails that somebody without an account asked for.
    init(registrationsFrom site: String) { self.init("registration", site) }
    init(mailsTo email: Email) { self.init("mail", email.text) }
    init(mailsFrom site: String) { self.init("mail-from", site) }
    init(lookUpsBy account: UserID) { self.init("look-up", "\(account)") }

    /// Other things that can be guessed are counted apart.
    init(_ kind: String, _ text: String) {
        bytes = Array(SHA256.digest(of: Array("\(kind)\0\(text)".utf8)).bytes.prefix(16))
    }
}

/// `attempts`.
enum AttemptTable {
    static func load(_ subject: AttemptSubject, _ db: borrowing Connection) throws -> AttemptState? {
        try db.first(
            "SELECT failures, last, blocked FROM attempts WHERE subject = ?1",
            [.blob(subject.bytes)]
        ) { row in
            AttemptState(
                failures: try row.int(0),
                last: try row.timestamp(1),
                blockedUntil: try row.timestamp(2)
            )
        }
    }

    static func save(_ state: AttemptState, of subject: AttemptSubject, _ db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO attempts (subject, failures, last, blocked) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (subject) DO UPDATE SET failures = ?2, last = ?3, blocked = ?4
            """,
            [.blob(subject.bytes), .integer(state.failures), .time(state.last), .time(state.blockedUntil)]
        )
    }

    static func clear(_ subject: AttemptSubject, _ db: borrowing Connection) throws {
        try db.execute("DELETE FROM attempts WHERE subject = ?1", [.blob(subject.bytes)])
    }

    /// One that was counted and then not made.
    static func forgive(_ subject: AttemptSubject, _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE attempts SET failures = failures - 1, blocked = last WHERE subject = ?1 AND failures > 0",
            [.blob(subject.bytes)]
        )
    }

    /// The count of those that went.
    static func prune(before: Timestamp, limit: Int, _ db: borrowing Connection) throws -> Int {
        try db.execute(
            "DELETE FROM attempts WHERE subject IN (SELECT subject FROM attempts WHERE last < ?1 LIMIT ?2)",
            [.time(before), .integer(limit)]
        )
    }
}
