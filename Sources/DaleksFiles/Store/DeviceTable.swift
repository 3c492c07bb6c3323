import DaleksAPI
import DaleksCore
import DaleksSQLite

/// What the region knows of a device's journal.
struct DeviceState: Hashable, Sendable {
    let number: Int64
    let id: DeviceID
    /// Nothing at or below it ever runs again.
    var highWater: Int64
    /// The device has taken every answer up to here.
    var acknowledged: Int64
}

/// `devices` and `operations`: idempotence.
enum DeviceTable {
    static func load(_ id: DeviceID, in tree: TreeNumber, _ db: borrowing StoreConnection) throws -> DeviceState? {
        try db.first(
            "SELECT number, high_water, acknowledged FROM devices WHERE tree = ?1 AND device = ?2",
            [.integer(tree), .id(id)]
        ) { row in
            DeviceState(
                number: try row.int64(0),
                id: id,
                highWater: try row.int64(1),
                acknowledged: try row.int64(2)
            )
        }
    }

    static func create(_ id: DeviceID, in tree: TreeNumber, _ db: borrowing StoreConnection) throws -> DeviceState {
        let number = try db.insert(
            "INSERT INTO devices (tree, device, high_water, acknowledged) VALUES (?1, ?2, 0, 0) RETURNING number",
            [.integer(tree), .id(id)]
        )
        return DeviceState(number: number, id: id, highWater: 0, acknowledged: 0)
    }

    static func save(_ state: DeviceState, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "UPDATE devices SET high_water = ?2, acknowledged = ?3 WHERE number = ?1",
            [.integer(state.number), .integer(state.highWater), .integer(state.acknowledged)]
        )
    }

    struct Remembered {
        let digest: Digest
        let answer: [UInt8]
    }

    static func operation(_ sequence: Int64, of device: Int64, _ db: borrowing StoreConnection) throws -> Remembered? {
        try db.withStatement("SELECT digest, answer FROM operations WHERE device = ?1 AND sequence = ?2") { statement in
            try statement.bind(device, at: 1)
            try statement.bind(sequence, at: 2)
            guard try statement.step() else { return nil }
            return Remembered(digest: try statement.digest(0), answer: try statement.blob(1))
        }
    }

    static func remember(
        _ sequence: Int64,
        of device: Int64,
        _ digest: Digest,
        answer: [UInt8],
        _ db: borrowing StoreConnection
    ) throws {
        try db.withStatement(
            "INSERT INTO operations (device, sequence, digest, answer) VALUES (?1, ?2, ?3, ?4)"
        ) { statement in
            try statement.bind(device, at: 1)
            try statement.bind(sequence, at: 2)
            try statement.bind(digest, at: 3)
            try statement.bind(answer, at: 4)
            try statement.run()
        }
    }

    /// On PostgreSQL all of them by one statement.
    static func remember(
        _ operations: [(sequence: Int64, digest: Digest, answer: [UInt8])],
        of device: Int64,
        _ db: borrowing StoreConnection
    ) throws {
        guard db.isPostgres, operations.count > 1 else {
            for (sequence, digest, answer) in operations {
                try remember(sequence, of: device, digest, answer: answer, db)
            }
            return
        }
        try db.insert(
            "INSERT INTO operations (device, sequence, digest, answer) VALUES (?1, ?2, ?3, ?4)",
            types: "iibb",
            rows: operations.map { [.integer(device), .integer($0.sequence), .digest($0.digest), .blob($0.answer)] }
        )
    }

    /// Forgets what is further back than a forked journal is recognised.
    static func forget(upTo last: Int64, of device: Int64, _ db: borrowing StoreConnection) throws {
        try db.execute(
            "DELETE FROM operations WHERE device = ?1 AND sequence <= ?2",
            [.integer(device), .integer(last)]
        )
    }
}
