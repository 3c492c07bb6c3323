import DaleksCore
import DaleksSQLite

/// Tells ids of app passwords from other ids.
enum AppPasswordKind {}
typealias AppPasswordID = Identifier<AppPasswordKind>

/// A password of one program, which can be taken back alone and cannot change the account.
struct AppPassword: Sendable {
    let id: AppPasswordID
    let account: UserID
    let name: String
    let scope: Scopes
    let created: Timestamp
    let used: Timestamp?
}

/// `app_passwords`.
enum AppPasswordTable {
    static func insert(_ password: AppPassword, secret: Digest, _ db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO app_passwords (id, account, name, scope, secret, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            [
                .id(password.id), .id(password.account), .text(password.name), .text(password.scope.text),
                .digest(secret), .time(password.created),
            ]
        )
    }

    static func find(secret: Digest, _ db: borrowing Connection) throws -> AppPassword? {
        try db.first(
            "SELECT id, account, name, scope, created, used FROM app_passwords WHERE secret = ?1",
            [.digest(secret)],
            password
        )
    }

    static func all(of account: UserID, _ db: borrowing Connection) throws -> [AppPassword] {
        try db.query(
            "SELECT id, account, name, scope, created, used FROM app_passwords WHERE account = ?1 ORDER BY id",
            [.id(account)],
            password
        )
    }

    static func touch(_ id: AppPasswordID, at time: Timestamp, _ db: borrowing Connection) throws {
        try db.execute("UPDATE app_passwords SET used = ?2 WHERE id = ?1", [.id(id), .time(time)])
    }

    /// Its log-ins end with it. False where the account has none of that id.
    static func delete(
        _ id: AppPasswordID,
        of account: UserID,
        at time: Timestamp,
        _ db: borrowing Connection
    ) throws -> Bool {
        let count = try db.execute(
            "DELETE FROM app_passwords WHERE id = ?1 AND account = ?2",
            [.id(id), .id(account)]
        )
        guard count == 1 else { return false }
        try SessionTable.endAll(of: id, account: account, at: time, db)
        return true
    }

    static func deleteAll(of account: UserID, _ db: borrowing Connection) throws {
        try db.execute("DELETE FROM app_passwords WHERE account = ?1", [.id(account)])
    }

    private static func password(_ row: borrowing Row) throws -> AppPassword {
        AppPassword(
            id: try row.identifier(0),
            account: try row.identifier(1),
            name: try row.text(2),
            scope: Scopes(words: try row.text(3)),
            created: try row.timestamp(4),
            used: try row.optionalTimestamp(5)
        )
    }
}
