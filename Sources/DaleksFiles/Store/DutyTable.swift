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
}
