import DaleksCore
import DaleksSQLite

/// `small_chunks`: bytes whose durability comes with the transaction that enters them, until they are moved to the
/// store many at a time. A small file so costs one barrier, which its entry in the tree needs anyway, and not two.
enum SmallChunkTable {
    static func insert(
        _ chunk: PackedChunk,
        in tree: TreeNumber,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Int64 {
        try db.withStatement(
            "INSERT INTO small_chunks (tree, digest, entered, body) VALUES (?1, ?2, ?3, ?4) RETURNING number"
        ) { statement in
            try statement.bind(tree, at: 1)
            try statement.bind(chunk.digest, at: 2)
            try statement.bind(time, at: 3)
            try statement.bind(chunk.stored, at: 4)
            guard try statement.step() else { throw RecordError(record: "number") }
            return try statement.int64(0)
        }
    }

    /// The stored bytes; nil where the row is gone.
    static func body(_ number: Int64, _ db: borrowing StoreConnection) throws -> [UInt8]? {
        try db.withStatement("SELECT body FROM small_chunks WHERE number = ?1") { statement in
            try statement.bind(number, at: 1)
            return try statement.step() ? try statement.blob(0) : nil
        }
    }

    static func delete(_ number: Int64, _ db: borrowing StoreConnection) throws {
        try db.withStatement("DELETE FROM small_chunks WHERE number = ?1") { statement in
            try statement.bind(number, at: 1)
            try statement.run()
        }
    }

    struct Row {
        let chunk: ChunkTable.Placed
        let packed: PackedChunk
    }

    /// The oldest rows entered before then, as many as their bytes allow.
    static func oldest(
        before time: Timestamp,
        bytesMax: Int,
        countMax: Int,
        _ db: borrowing StoreConnection
    ) throws -> [Row] {
        var rows: [Row] = []
        var bytes = 0
        // Whoever adds up what the bodies take looks at their number first, so that no more are read than fit.
        try db.forEach(
            """
            SELECT s.number, s.tree, s.digest, s.body, c.stored_bytes, c.raw_bytes, c.compression
            FROM small_chunks s JOIN chunks c ON c.tree = s.tree AND c.digest = s.digest AND c.segment = 0
                AND c.position = s.number
            WHERE s.entered < ?1 ORDER BY s.number LIMIT ?2
            """,
            [.time(time), .integer(countMax)]
        ) { row in
            guard bytes < bytesMax,
                let compression = ChunkLocation.Compression(rawValue: UInt8(clamping: try row.int64(6)))
            else { return }
            let (digest, body): (Digest, [UInt8]) = (try row.digest(2), try row.blob(3))
            let location = ChunkLocation(
                segment: ChunkLocation.inRow,
                position: try row.int64(0),
                storedBytes: try row.int(4),
                rawBytes: try row.int(5),
                compression: compression
            )
            bytes += body.count
            rows.append(
                Row(
                    chunk: ChunkTable.Placed(tree: try row.int64(1), digest: digest, location: location),
                    packed: PackedChunk(digest, location, stored: body)
                )
            )
        }
        return rows
    }
}
