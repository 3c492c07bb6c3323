import DaleksCore
import DaleksSQLite

/// `oauth_codes`.
enum AuthorizationCodeTable {
    static func insert(_ code: AuthorizationCode, _ db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO oauth_codes
                (code, client, account, redirect, challenge, scope, resource, nonce, authenticated, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """,
            [
                .digest(code.code), .text(code.client), .id(code.account), .optional(code.redirect),
                .text(code.challenge), .text(code.scope.text), .optional(code.resource), .optional(code.nonce),
                .time(code.authenticated), .time(code.expires),
            ]
        )
    }

    static func load(_ code: Digest, _ db: borrowing Connection) throws -> AuthorizationCode? {
        try db.first(
            """
            SELECT client, account, redirect, challenge, scope, resource, nonce, authenticated, expires, session
            FROM oauth_codes WHERE code = ?1
            """,
            [.digest(code)]
        ) { row in
            AuthorizationCode(
                code: code,
                client: try row.text(0),
                account: try row.identifier(1),
                redirect: try row.optionalText(2),
                challenge: try row.text(3),
                scope: Scopes(words: try row.text(4)),
                resource: try row.optionalText(5),
                nonce: try row.optionalText(6),
                authenticated: try row.timestamp(7),
                expires: try row.timestamp(8),
                session: try row.optionalIdentifier(9)
            )
        }
    }

    /// False where it was turned into something before.
    static func use(_ code: Digest, as session: SessionID, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            "UPDATE oauth_codes SET session = ?2 WHERE code = ?1 AND session IS NULL",
            [.digest(code), .id(session)]
        ) == 1
    }

    /// The count of those that went.
    static func prune(before: Timestamp, limit: Int, _ db: borrowing Connection) throws -> Int {
        try db.execute(
            "DELETE FROM oauth_codes WHERE code IN (SELECT code FROM oauth_codes WHERE expires < ?1 LIMIT ?2)",
            [.time(before), .integer(limit)]
        )
    }
}
