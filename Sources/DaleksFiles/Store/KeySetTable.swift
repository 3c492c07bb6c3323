import DaleksCore
import DaleksSQLite

/// `key_sets`: the last good answer of each users service.
enum KeySetTable {
    static func load(url: String, _ db: borrowing StoreConnection) throws -> [UInt8]? {
        try db.first("SELECT body FROM key_sets WHERE url = ?1", [.text(url)]) { try $0.blob(0) }
    }

    static func save(_ body: [UInt8], url: String, at time: Timestamp, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            INSERT INTO key_sets (url, body, fetched) VALUES (?1, ?2, ?3)
            ON CONFLICT (url) DO UPDATE SET body = excluded.body, fetched = excluded.fetched
            """,
            [.text(url), .blob(body), .time(time)]
        )
    }
}
