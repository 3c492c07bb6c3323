import DaleksCore
import DaleksCrypto
import DaleksHTTP
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
    private static let holdOne = SQL(hold("(?2, 0, ?1, ?1)"))
    private static let holdTwo = SQL(hold("(?2, 0, ?1, ?1), (?3, 0, ?1, ?1)"))

    private static func hold(_ rows: String) -> String {
        """
        INSERT INTO attempts (subject, failures, last, blocked) VALUES \(rows)
        ON CONFLICT (subject) DO UPDATE SET failures = attempts.failures RETURNING subject, failures, last, blocked
        """
    }

    /// What is known of each, one or two, and nobody else changes it before this transaction ends. Whoever was never
    /// counted has no failures and waits until now.
    static func hold(
        _ subjects: [AttemptSubject],
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws -> [AttemptState] {
        // In one order, so that no two wait for each other.
        let sorted = subjects.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) }
        let sql = sorted.count == 1 ? holdOne : holdTwo
        let held = try db.query(sql, [.time(now)] + sorted.map { .blob($0) }) { row in
            (
                subject: try row.blob(0),
                state: AttemptState(
                    failures: try row.int(1),
                    last: try row.timestamp(2),
                    blockedUntil: try row.timestamp(3)
                )
            )
        }
        return try subjects.map { subject in
            guard let row = held.first(where: { $0.subject == subject.bytes }) else {
                throw APIError.internalError("an attempt could not be counted")
            }
            return row.state
        }
    }

    /// Of one that is held.
    static func save(_ state: AttemptState, of subject: AttemptSubject, _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE attempts SET failures = ?2, last = ?3, blocked = ?4 WHERE subject = ?1",
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
