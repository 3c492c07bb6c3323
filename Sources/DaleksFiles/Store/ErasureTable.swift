import DaleksCore
import DaleksSQLite

/// `erasures`: whose account is gone.
enum ErasureTable {
    /// Hearing of it twice changes nothing.
    static func insert(_ owner: UserID, due: Timestamp, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "INSERT INTO erasures (owner, due) VALUES (?1, ?2) ON CONFLICT (owner) DO NOTHING",
            [.id(owner), .time(due)]
        )
    }

    static func contains(_ owner: UserID, _ db: borrowing StoreConnection) throws -> Bool {
        try db.exists("SELECT 1 FROM erasures WHERE owner = ?1", [.id(owner)])
    }

    /// Those that are to be gone by now and are not.
    static func due(at time: Timestamp, _ db: borrowing StoreConnection) throws -> [UserID] {
        try db.query("SELECT owner FROM erasures WHERE finished IS NULL AND due <= ?1 ORDER BY due", [.time(time)]) {
            try $0.identifier(0)
        }
    }

    static func finish(_ owner: UserID, at time: Timestamp, _ db: borrowing StoreConnection) throws {
        try db.execute("UPDATE erasures SET finished = ?2 WHERE owner = ?1", [.id(owner), .time(time)])
    }
}
