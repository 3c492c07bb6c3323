import DaleksAPI
import DaleksCore
import DaleksSQLite

/// Somebody who may log in.
struct Account: Sendable {
    let id: UserID
    let email: Email
    let name: String
    /// In the PHC spelling; never leaves the service.
    let passwordHash: String
    /// The code of the region that was chosen first; nil before that.
    let home: String?
    let created: Timestamp

    var record: UserRecord { UserRecord(id: id, email: email.text, name: name) }
}

/// `accounts`.
enum AccountTable {
    /// False, and nothing changes, where the e-mail is taken.
    static func insert(_ account: Account, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            """
            INSERT INTO accounts (id, email, name, password, home, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (email) DO NOTHING
            """,
            [
                .id(account.id), .text(account.email.text), .text(account.name), .text(account.passwordHash),
                .optional(account.home), .time(account.created),
            ]
        ) == 1
    }

    static func isTaken(_ email: Email, _ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM accounts WHERE email = ?1", [.text(email.text)])
    }

    static func load(email: Email, _ db: borrowing Connection) throws -> Account? {
        try db.first(
            "SELECT id, email, name, password, home, created FROM accounts WHERE email = ?1",
            [.text(email.text)],
            account
        )
    }

    static func load(_ id: UserID, _ db: borrowing Connection) throws -> Account? {
        try db.first(
            "SELECT id, email, name, password, home, created FROM accounts WHERE id = ?1",
            [.id(id)],
            account
        )
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

    private static func account(_ row: borrowing Row) throws -> Account {
        Account(
            id: try row.identifier(0),
            email: Email(stored: try row.text(1)),
            name: try row.text(2),
            passwordHash: try row.text(3),
            home: try row.optionalText(4),
            created: try row.timestamp(5)
        )
    }
}
