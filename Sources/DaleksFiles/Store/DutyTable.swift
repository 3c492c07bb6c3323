import DaleksCore
import DaleksSQLite

/// `duties`: what only one process of a region should do at a time, because twice would be a waste. Nothing is wrong
/// where two do it after all.
enum DutyTable {
    /// True where the duty is the holder's until `expires`.
    static func take(
        _ name: String,
        for holder: [UInt8],
        now: Timestamp,
        until expires: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        try db.execute(
            """
            INSERT INTO duties (name, holder, expires) VALUES (?1, ?2, ?3)
            ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
            WHERE duties.holder = excluded.holder OR duties.expires < ?4
            """,
            [.text(name), .blob(holder), .time(expires), .time(now)]
        ) > 0
    }

    /// Whether anybody has it.
    static func isHeld(_ name: String, at now: Timestamp, _ db: borrowing StoreConnection) throws -> Bool {
        try db.exists("SELECT 1 FROM duties WHERE name = ?1 AND expires >= ?2", [.text(name), .time(now)])
    }

    static func release(_ name: String, of holder: [UInt8], _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM duties WHERE name = ?1 AND holder = ?2", [.text(name), .blob(holder)])
    }
}
