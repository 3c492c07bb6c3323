import DaleksCore
import DaleksSQLite

/// `chunks`: what each owner stores, where it is, and how many spans name it.
enum ChunkTable {
    static func load(_ digest: Digest, in tree: TreeNumber, _ db: borrowing StoreConnection) throws -> ChunkLocation? {
        try db.withStatement(
            """
            SELECT segment, position, stored_bytes, raw_bytes, compression FROM chunks WHERE tree = ?1 AND digest = ?2
            """
        ) { statement in
            try statement.bind(tree, at: 1)
            try statement.bind(digest, at: 2)
            guard try statement.step() else { return nil }
            guard let compression = ChunkLocation.Compression(rawValue: UInt8(clamping: try statement.int64(4))) else {
                throw RecordError(record: "chunk's compression")
            }
            return ChunkLocation(
                segment: try statement.int64(0),
                position: try statement.int64(1),
                storedBytes: try statement.int(2),
                rawBytes: try statement.int(3),
                compression: compression
            )
        }
    }

    /// False, and nothing happens, where the owner stores it already.
    @discardableResult
    static func insert(
        _ digest: Digest,
        at location: ChunkLocation,
        in tree: TreeNumber,
        touched: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        try db.withStatement(
            """
            INSERT INTO chunks
                (tree, digest, segment, position, stored_bytes, raw_bytes, compression, usage, touched)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8) ON CONFLICT (tree, digest) DO NOTHING
            """
        ) { statement in
            try statement.bind(tree, at: 1)
            try statement.bind(digest, at: 2)
            try statement.bind(location.segment, at: 3)
            try statement.bind(location.position, at: 4)
            try statement.bind(location.storedBytes, at: 5)
            try statement.bind(location.rawBytes, at: 6)
            try statement.bind(Int64(location.compression.rawValue), at: 7)
            try statement.bind(touched, at: 8)
            return try statement.run() > 0
        }
    }

    static func count(
        _ change: Int,
        of digest: Digest,
        in tree: TreeNumber,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        try db.withStatement(
            """
            UPDATE chunks SET usage = usage + ?3, touched = CASE WHEN touched < ?4 THEN ?4 ELSE touched END
            WHERE tree = ?1 AND digest = ?2
            """
        ) { statement in
            try statement.bind(tree, at: 1)
            try statement.bind(digest, at: 2)
            try statement.bind(change, at: 3)
            try statement.bind(time, at: 4)
            guard try statement.run() == 1 else { throw RecordError(record: "chunk that a manifest names") }
        }
    }

    /// Somebody was told that it is there: the collector's grace begins anew.
    static func touch(_ digest: Digest, in tree: TreeNumber, at time: Timestamp, _ db: borrowing StoreConnection) throws
    {
        try db.execute(
            """
            UPDATE chunks SET touched = CASE WHEN touched < ?3 THEN ?3 ELSE touched END
            WHERE tree = ?1 AND digest = ?2
            """,
            [.integer(tree), .digest(digest), .time(time)]
        )
    }

    /// When somebody last relied on a chunk that no manifest names; nil where one does or it is not there.
    static func unusedSince(_ digest: Digest, in tree: TreeNumber, _ db: borrowing StoreConnection) throws -> Timestamp?
    {
        try db.first(
            "SELECT touched FROM chunks WHERE tree = ?1 AND digest = ?2 AND usage = 0",
            [.integer(tree), .digest(digest)]
        ) { try $0.timestamp(0) }
    }

    struct Unused {
        let tree: TreeNumber
        let digest: Digest
        let location: ChunkLocation
    }

    static func unused(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> [Unused] {
        try db.query(
            """
            SELECT tree, digest, segment, position, stored_bytes, raw_bytes, compression
            FROM chunks WHERE usage = 0 AND touched < ?1 ORDER BY touched LIMIT ?2
            """,
            [.time(time), .integer(limit)]
        ) { row in
            guard let compression = ChunkLocation.Compression(rawValue: UInt8(clamping: try row.int64(6))) else {
                throw RecordError(record: "chunk's compression")
            }
            return Unused(
                tree: try row.int64(0),
                digest: try row.digest(1),
                location: ChunkLocation(
                    segment: try row.int64(2),
                    position: try row.int64(3),
                    storedBytes: try row.int(4),
                    rawBytes: try row.int(5),
                    compression: compression
                )
            )
        }
    }

    static func delete(_ digest: Digest, in tree: TreeNumber, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM chunks WHERE tree = ?1 AND digest = ?2", [.integer(tree), .digest(digest)])
    }

    /// The segments that hold at least one indexed chunk.
    static func segments(_ db: borrowing StoreConnection) throws -> Set<Int64> {
        Set(try db.query("SELECT DISTINCT segment FROM chunks") { try $0.int64(0) })
    }
}
