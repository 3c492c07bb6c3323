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
            [.text(id)],
            client
        )
    }

    static func all(_ db: borrowing Connection) throws -> [OAuthClient] {
        try db.query(
            "SELECT id, name, secret, redirects, grants, scope, created, id_token_alg FROM oauth_clients ORDER BY id",
            [],
            client
        )
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

    private static func client(_ row: borrowing Row) throws -> OAuthClient {
        OAuthClient(
            id: try row.text(0),
            name: try row.text(1),
            secret: try row.optionalDigest(2),
            redirects: try row.text(3).split(separator: "\n").compactMap { RedirectURI(String($0)) },
            grants: Set(try row.text(4).split(separator: " ").compactMap { GrantKind(rawValue: String($0)) }),
            scope: Scopes(words: try row.text(5)),
            created: try row.timestamp(6),
            idTokenAlgorithm: SignatureAlgorithm(rawValue: try row.text(7)) ?? .es256
        )
    }
}
