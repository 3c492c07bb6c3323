import DaleksCore
import DaleksCrypto
import DaleksSQLite

/// `oauth_clients`.
enum OAuthClientTable {
    /// False, and nothing changes, where the id is taken.
    static func insert(_ client: OAuthClient, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            """
            INSERT INTO oauth_clients (id, name, secret, redirects, grants, scope, created, id_token_alg)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING
            """,
            [
                .text(client.id), .text(client.name), .optional(client.secret),
                .text(client.redirects.map(\.text).joined(separator: "\n")), .text(GrantKind.words(client.grants)),
                .text(client.scope.text), .time(client.created), .text(client.idTokenAlgorithm.rawValue),
            ]
        ) == 1
    }

    static func load(_ id: String, _ db: borrowing Connection) throws -> OAuthClient? {
        try db.first(
            "SELECT id, name, secret, redirects, grants, scope, created, id_token_alg FROM oauth_clients WHERE id = ?1",
            [.text(id)]
        ) { try client($0, from: 0) }
    }

    static func all(_ db: borrowing Connection) throws -> [OAuthClient] {
        try db.query(
            "SELECT id, name, secret, redirects, grants, scope, created, id_token_alg FROM oauth_clients ORDER BY id",
            []
        ) { try client($0, from: 0) }
    }

    static func count(_ db: borrowing Connection) throws -> Int {
        try db.first("SELECT count(*) FROM oauth_clients", []) { row in try row.int(0) } ?? 0
    }

    /// Whether any program wants its ID tokens signed so.
    static func isAlgorithmWanted(_ algorithm: SignatureAlgorithm, _ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM oauth_clients WHERE id_token_alg = ?1", [.text(algorithm.rawValue)])
    }

    static func setSecret(_ secret: Digest, of id: String, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            "UPDATE oauth_clients SET secret = ?2 WHERE id = ?1 AND secret IS NOT NULL",
            [.text(id), .digest(secret)]
        ) == 1
    }

    static func delete(_ id: String, _ db: borrowing Connection) throws -> Bool {
        try db.execute("DELETE FROM oauth_clients WHERE id = ?1", [.text(id)]) == 1
    }

    /// For statements that ask other tables as well.
    static let columnCount = 8
    static let columnsOfC = "c.id, c.name, c.secret, c.redirects, c.grants, c.scope, c.created, c.id_token_alg"

    /// From a row whose columns from there on are a client's.
    static func client(_ row: borrowing Row, from first: Int) throws -> OAuthClient {
        OAuthClient(
            id: try row.text(first),
            name: try row.text(first + 1),
            secret: try row.optionalDigest(first + 2),
            redirects: try row.text(first + 3).split(separator: "\n").compactMap { RedirectURI(String($0)) },
            grants: Set(try row.text(first + 4).split(separator: " ").compactMap { GrantKind(rawValue: String($0)) }),
            scope: Scopes(words: try row.text(first + 5)),
            created: try row.timestamp(first + 6),
            idTokenAlgorithm: SignatureAlgorithm(rawValue: try row.text(first + 7)) ?? .es256
        )
    }
}
