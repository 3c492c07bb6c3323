import DaleksAPI
import DaleksCore
import DaleksSQLite

/// Somebody who may log in.
struct Account: Sendable {
    enum Role: String, CaseIterable, Sendable {
        case user, admin
    }

    /// The second factor, once it is in force.
    struct SecondFactor: Sendable {
        /// For `SealingKeys` to open.
        let sealedSecret: [UInt8]
        /// The step of the last code that was taken: none is taken twice.
        let lastStep: Int64
    }

    let id: UserID
    var email: Email
    var name: String
    /// In the PHC spelling; never leaves the service.
    var passwordHash: String
    /// The code of the region that was chosen; nil before that.
    var home: String?
    let created: Timestamp
    var handle: Handle?
    var role = Role.user
    var lockedSince: Timestamp?
    /// What the regions let them store; nil: what the region gives everybody.
    var quotaBytes: Int64?
    var secondFactor: SecondFactor?

    var record: UserRecord {
        UserRecord(id: id, email: email.text, name: name, handle: handle?.text, role: role.rawValue)
    }
}

/// `accounts`.
enum AccountTable {
    private static let names = [
        "id", "email", "name", "password", "home", "created", "handle", "role", "locked", "quota", "totp", "totp_step",
    ]
    private static let columns = names.joined(separator: ", ")
    /// For statements that ask other tables as well.
    static let columnCount = names.count
    static let columnsOfA = names.map { "a.\($0)" }.joined(separator: ", ")
    private static let byEmail = SQL("SELECT \(columns) FROM accounts WHERE email = ?1")
    private static let byID = SQL("SELECT \(columns) FROM accounts WHERE id = ?1")
    private static let byHandle = SQL("SELECT \(columns) FROM accounts WHERE handle = ?1")
    private static let page = SQL("SELECT \(columns) FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2")
    private static let matching = SQL(
        """
        SELECT \(columns) FROM accounts WHERE id > ?1 AND (email LIKE ?3 OR name LIKE ?3 OR handle LIKE ?3)
        ORDER BY id LIMIT ?2
        """
    )

    /// False, and nothing changes, where the e-mail or the handle is taken.
    static func insert(_ account: Account, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            """
            INSERT INTO accounts (id, email, name, password, home, created, handle, role)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING
            """,
            [
                .id(account.id), .text(account.email.text), .text(account.name), .text(account.passwordHash),
                .optional(account.home), .time(account.created), .optional(account.handle?.text),
                .text(account.role.rawValue),
            ]
        ) == 1
    }

    static func isTaken(_ email: Email, _ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM accounts WHERE email = ?1", [.text(email.text)])
    }

    static func isTaken(_ handle: Handle, _ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM accounts WHERE handle = ?1", [.text(handle.text)])
    }

    static func load(email: Email, _ db: borrowing Connection) throws -> Account? {
        try db.first(byEmail, [.text(email.text)], account)
    }

    static func load(handle: Handle, _ db: borrowing Connection) throws -> Account? {
        try db.first(byHandle, [.text(handle.text)], account)
    }

    static func load(_ id: UserID, _ db: borrowing Connection) throws -> Account? {
        try db.first(byID, [.id(id)], account)
    }

    /// In the order of ids. `query` is looked for in e-mail addresses, names and handles.
    static func list(
        after id: UserID?,
        query: String?,
        limit: Int,
        _ db: borrowing Connection
    ) throws -> [Account] {
        let start = Value.blob(id?.bytes ?? [])
        guard let query else { return try db.query(page, [start, .integer(limit)], account) }
        // A sign that means "anything" to LIKE would only find more; nobody is kept out by it.
        return try db.query(matching, [start, .integer(limit), .text("%\(query)%")], account)
    }

    static func hasAdmin(_ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM accounts WHERE role = 'admin'")
    }

    static func adminCount(_ db: borrowing Connection) throws -> Int {
        try db.first("SELECT count(*) FROM accounts WHERE role = 'admin' AND locked IS NULL") { try $0.int(0) } ?? 0
    }

    static func count(home: String, _ db: borrowing Connection) throws -> Int {
        try db.first("SELECT count(*) FROM accounts WHERE home = ?1", [.text(home)]) { try $0.int(0) } ?? 0
    }

    /// The same password under today's parameters. Nothing happens where it was changed meanwhile.
    static func rehash(
        _ id: UserID,
        from old: String,
        to new: String,
        _ db: borrowing Connection
    ) throws {
        try db.execute(
            "UPDATE accounts SET password = ?3 WHERE id = ?1 AND password = ?2",
            [.id(id), .text(old), .text(new)]
        )
    }

    /// Where nobody chose before.
    static func setFirstHome(_ code: String, of id: UserID, _ db: borrowing Connection) throws {
        try db.execute("UPDATE accounts SET home = ?2 WHERE id = ?1 AND home IS NULL", [.id(id), .text(code)])
    }

    /// What people and administrators change. The e-mail address and the handle must be free.
    static func save(_ account: Account, _ db: borrowing Connection) throws {
        try db.execute(
            """
            UPDATE accounts SET email = ?2, name = ?3, password = ?4, home = ?5, handle = ?6, role = ?7, locked = ?8,
                quota = ?9
            WHERE id = ?1
            """,
            [
                .id(account.id), .text(account.email.text), .text(account.name), .text(account.passwordHash),
                .optional(account.home), .optional(account.handle?.text), .text(account.role.rawValue),
                .optional(account.lockedSince), .optional(account.quotaBytes),
            ]
        )
    }

    /// With everything that is kept for it.
    static func delete(_ id: UserID, _ db: borrowing Connection) throws {
        for sql: SQL in [
            "DELETE FROM recovery_codes WHERE account = ?1", "DELETE FROM app_passwords WHERE account = ?1",
            "DELETE FROM mail_tokens WHERE account = ?1", "DELETE FROM accounts WHERE id = ?1",
        ] {
            try db.execute(sql, [.id(id)])
        }
    }

    private static func account(_ row: borrowing Row) throws -> Account { try account(row, from: 0) }

    /// From a row whose columns from there on are an account's.
    static func account(_ row: borrowing Row, from first: Int) throws -> Account {
        Account(
            id: try row.identifier(first),
            email: Email(stored: try row.text(first + 1)),
            name: try row.text(first + 2),
            passwordHash: try row.text(first + 3),
            home: try row.optionalText(first + 4),
            created: try row.timestamp(first + 5),
            handle: try row.optionalText(first + 6).map { Handle(stored: $0) },
            role: Account.Role(rawValue: try row.text(first + 7)) ?? .user,
            lockedSince: try row.optionalTimestamp(first + 8),
            quotaBytes: try row.optionalInt64(first + 9),
            secondFactor: try row.optionalBlob(first + 10).map {
                Account.SecondFactor(sealedSecret: $0, lastStep: try row.optionalInt64(first + 11) ?? 0)
            }
        )
    }
}
