import DaleksCore
import DaleksSQLite

/// The columns `totp…` of `accounts`, and `recovery_codes`.
enum SecondFactorTable {
    /// A sealed secret that is in force once a code of it was shown.
    static func propose(_ sealed: [UInt8], for account: UserID, _ db: borrowing Connection) throws {
        try db.execute("UPDATE accounts SET totp_pending = ?2 WHERE id = ?1", [.id(account), .blob(sealed)])
    }

    static func proposed(for account: UserID, _ db: borrowing Connection) throws -> [UInt8]? {
        try db.first("SELECT totp_pending FROM accounts WHERE id = ?1", [.id(account)]) { row in
            try row.optionalBlob(0)
        } ?? nil
    }

    static func begin(_ sealed: [UInt8], step: Int64, for account: UserID, _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE accounts SET totp = ?2, totp_step = ?3, totp_pending = NULL WHERE id = ?1",
            [.id(account), .blob(sealed), .integer(step)]
        )
    }

    // MARK: What is sealed

    /// Those in force, in the order of accounts.
    static func page(
        after account: UserID?,
        limit: Int,
        _ db: borrowing Connection
    ) throws -> [(account: UserID, sealed: [UInt8])] {
        try db.query(
            "SELECT id, totp FROM accounts WHERE totp IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2",
            [.blob(account?.bytes ?? []), .integer(limit)]
        ) { row in (account: try row.identifier(0), sealed: try row.blob(1)) }
    }

    /// The same secret, sealed anew. Nothing happens where it was changed meanwhile.
    static func reseal(_ account: UserID, from old: [UInt8], to new: [UInt8], _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE accounts SET totp = ?3 WHERE id = ?1 AND totp = ?2",
            [.id(account), .blob(old), .blob(new)]
        )
    }

    static func end(for account: UserID, _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE accounts SET totp = NULL, totp_step = NULL, totp_pending = NULL WHERE id = ?1",
            [.id(account)]
        )
        try db.execute("DELETE FROM recovery_codes WHERE account = ?1", [.id(account)])
    }

    /// False where a code of that step, or a later one, was taken before.
    static func take(step: Int64, of account: UserID, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            "UPDATE accounts SET totp_step = ?2 WHERE id = ?1 AND totp IS NOT NULL AND totp_step < ?2",
            [.id(account), .integer(step)]
        ) == 1
    }

    static func setRecoveryCodes(_ codes: [Digest], for account: UserID, _ db: borrowing Connection) throws {
        try db.execute("DELETE FROM recovery_codes WHERE account = ?1", [.id(account)])
        for code in codes {
            try db.execute(
                "INSERT INTO recovery_codes (account, code) VALUES (?1, ?2)",
                [.id(account), .digest(code)]
            )
        }
    }

    /// False where it is none, or was taken before.
    static func take(recoveryCode code: Digest, of account: UserID, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            "DELETE FROM recovery_codes WHERE account = ?1 AND code = ?2",
            [.id(account), .digest(code)]
        ) == 1
    }

    static func recoveryCodeCount(of account: UserID, _ db: borrowing Connection) throws -> Int {
        try db.first("SELECT count(*) FROM recovery_codes WHERE account = ?1", [.id(account)]) { try $0.int(0) } ?? 0
    }
}
