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
    let announced: Timestamp
    var activated: Timestamp?
    var retired: Timestamp?

    var stage: Stage { retired != nil ? .retiring : activated != nil ? .active : .announced }
}

/// `keys`.
enum KeyTable {
    static func all(_ db: borrowing Connection) throws -> [KeyRecord] {
        try db.query("SELECT id, public, announced, activated, retired FROM keys ORDER BY announced, id") { row in
            KeyRecord(
                id: try row.text(0),
                publicKey: try JWK(json: try JSONValue.parse(Array(try row.text(1).utf8))),
                announced: try row.timestamp(2),
                activated: try row.optionalTimestamp(3),
                retired: try row.optionalTimestamp(4)
            )
        }
    }

    static func insert(_ record: KeyRecord, _ db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO keys (id, public, announced, activated, retired) VALUES (?1, ?2, ?3, ?4, ?5)",
            [
                .text(record.id), .text(String(decoding: record.publicKey.jsonBytes, as: UTF8.self)),
                .time(record.announced), .optional(record.activated), .optional(record.retired),
            ]
        )
    }

    static func save(_ record: KeyRecord, _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE keys SET activated = ?2, retired = ?3 WHERE id = ?1",
            [.text(record.id), .optional(record.activated), .optional(record.retired)]
        )
    }

    static func delete(_ id: String, _ db: borrowing Connection) throws {
        try db.execute("DELETE FROM keys WHERE id = ?1", [.text(id)])
    }
}
