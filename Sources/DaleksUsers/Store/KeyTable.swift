import DaleksCore
import DaleksCrypto
import DaleksJSON
import DaleksSQLite

/// One of the service's keys, in its public half.
struct KeyRecord: Hashable, Sendable {
    enum Stage: String, CaseIterable, Sendable {
        /// Published, so that everybody knows it before it signs.
        case announced
        /// Signs.
        case active
        /// Signs no more; what it signed is still about.
        case retiring
    }

    let id: String
    let publicKey: JWK
    /// Which process has the private half; nil: the only one there was.
    let owner: KeyOwner?
    let announced: Timestamp
    var activated: Timestamp?
    var retired: Timestamp?

    var stage: Stage { retired != nil ? .retiring : activated != nil ? .active : .announced }
}

/// A process, by what it keeps beside its private keys. Several on one database each sign with a key of their own, and
/// publish all.
typealias KeyOwner = Identifier<KeyRecord>

/// `keys`, and `oauth_key_orders`.
enum KeyTable {
    static func all(_ db: borrowing Connection) throws -> [KeyRecord] {
        try db.query("SELECT id, public, announced, activated, retired, owner FROM keys ORDER BY announced, id") {
            row in
            KeyRecord(
                id: try row.text(0),
                publicKey: try JWK(json: try JSONValue.parse(Array(try row.text(1).utf8))),
                owner: try row.optionalIdentifier(5),
                announced: try row.timestamp(2),
                activated: try row.optionalTimestamp(3),
                retired: try row.optionalTimestamp(4)
            )
        }
    }

    static func insert(_ record: KeyRecord, _ db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO keys (id, public, announced, activated, retired, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            [
                .text(record.id), .text(String(decoding: record.publicKey.jsonBytes, as: UTF8.self)),
                .time(record.announced), .optional(record.activated), .optional(record.retired),
                .optional(record.owner),
            ]
        )
    }

    static func save(_ record: KeyRecord, _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE keys SET activated = ?2, retired = ?3 WHERE id = ?1",
            [.text(record.id), .optional(record.activated), .optional(record.retired)]
        )
    }

    /// False where there was none.
    @discardableResult
    static func delete(_ id: String, _ db: borrowing Connection) throws -> Bool {
        try db.execute("DELETE FROM keys WHERE id = ?1", [.text(id)]) == 1
    }

    // MARK: Orders

    /// When an administrator asked last that every process take another key.
    static func lastOrder(_ db: borrowing Connection) throws -> Timestamp? {
        try db.first("SELECT ordered FROM oauth_key_orders ORDER BY ordered DESC LIMIT 1", []) { row in
            try row.timestamp(0)
        }
    }

    static func order(at time: Timestamp, _ db: borrowing Connection) throws {
        try db.execute("DELETE FROM oauth_key_orders", [])
        try db.execute("INSERT INTO oauth_key_orders (number, ordered) VALUES (1, ?1)", [.time(time)])
    }
}
