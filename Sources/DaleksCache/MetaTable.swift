public import DaleksSQLite

/// Single facts about this replica.
public enum MetaTable {
    /// The names are on disk: never change one.
    public enum Key: String, Sendable {
        /// The device id under which operations are numbered.
        case device
        /// The last sequence that was given to an operation.
        case sequence
        /// Every answer up to here has been taken.
        case acknowledged
        /// Where the change feed is to be read from.
        case cursor
        /// "account@region": what this replica is of.
        case subject
        /// Content of this generation and those before it is on the disk: see `ContentGenerationTable`.
        case vouched
        /// "stopped" while no daemon works here; else the boot of the machine in which one began to.
        case running
        /// What the region forgot when it came back from backups: see `Setbacks`.
        case setbacks
        /// How far the region had come when it last answered a batch: perhaps further than the feed was read.
        case seen
    }

    public static func text(_ key: Key, in db: borrowing Connection) throws -> String? {
        try db.first("SELECT value FROM meta WHERE key = ?1", [.text(key.rawValue)]) { row in try row.text(0) }
    }

    public static func integer(_ key: Key, in db: borrowing Connection) throws -> Int64? {
        try text(key, in: db).flatMap { Int64($0) }
    }

    public static func set(_ key: Key, _ value: String, in db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [.text(key.rawValue), .text(value)]
        )
    }

    public static func set(_ key: Key, _ value: Int64, in db: borrowing Connection) throws {
        try set(key, String(value), in: db)
    }
}
