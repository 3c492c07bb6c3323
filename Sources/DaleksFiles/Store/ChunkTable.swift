import DaleksCore
import DaleksPostgres
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
            return try location(statement, from: 0)
        }
    }

    /// Reads the five columns above, which begin at `first`.
    private static func location(_ row: borrowing StoreStatement, from first: Int) throws -> ChunkLocation {
        guard let compression = ChunkLocation.Compression(rawValue: UInt8(clamping: try row.int64(first + 4))) else {
            throw RecordError(record: "chunk's compression")
        }
        return ChunkLocation(
            segment: try row.int64(first),
            position: try row.int64(first + 1),
            storedBytes: try row.int(first + 2),
            rawBytes: try row.int(first + 3),
            compression: compression
        )
    }

    /// Enters a chunk that lies in the store. False, and nothing happens, where the owner stores it already.
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

    /// Enters a chunk wherever it lies; one that lies nowhere yet gets a row of its own.
    @discardableResult
    static func insert(
        _ chunk: StoredChunk,
        in tree: TreeNumber,
        touched: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        switch chunk {
        case .placed(let digest, let location): return try insert(digest, at: location, in: tree, touched: touched, db)
        case .inRow(let packed):
            guard try load(packed.digest, in: tree, db) == nil else { return false }
            let number = try SmallChunkTable.insert(packed, in: tree, at: touched, db)
            let location = packed.location(inRow: number)
            if try insert(packed.digest, at: location, in: tree, touched: touched, db) { return true }
            // Another process was quicker.
            try SmallChunkTable.delete(number, db)
            return false
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

    /// Several at once; on PostgreSQL by one statement.
    static func count(
        _ changes: [Digest: Int],
        in tree: TreeNumber,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        guard case .postgres(let connection) = db.backend, changes.count > 1 else {
            for (digest, change) in changes { try count(change, of: digest, in: tree, at: time, db) }
            return
        }
        let changed = try connection.pointee.execute(
            """
            UPDATE chunks SET usage = usage + change, touched = greatest(touched, $2)
            FROM unnest($3::bytea[], $4::bigint[]) AS given (named, change)
            WHERE tree = $1 AND digest = named
            """,
            [
                .integer(tree), .time(time), .digests(Array(changes.keys)),
                .integers(changes.values.map { Int64($0) }),
            ]
        )
        guard changed == changes.count else { throw RecordError(record: "chunk that a manifest names") }
    }

    /// How many bytes each of these has, on PostgreSQL.
    static func bytesOfSet(
        _ digests: [Digest],
        in tree: TreeNumber,
        _ db: borrowing StoreConnection
    ) throws -> [Digest: (bytes: Int, isUsed: Bool)] {
        var found: [Digest: (bytes: Int, isUsed: Bool)] = [:]
        try db.query(
            sets: "SELECT digest, raw_bytes, usage FROM chunks WHERE tree = $1 AND digest = ANY($2)",
            [.integer(tree), .digests(digests)]
        ) { row in
            found[try row.digest(0)] = (Int(try row.int64(1)), try row.int64(2) > 0)
        }
        return found
    }

    /// Somebody is told that it is there: the collector's grace begins anew. False where it is gone.
    static func touch(
        _ digest: Digest,
        in tree: TreeNumber,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE chunks SET touched = CASE WHEN touched < ?3 THEN ?3 ELSE touched END
            WHERE tree = ?1 AND digest = ?2
            """,
            [.integer(tree), .digest(digest), .time(time)]
        ) > 0
    }

    /// When somebody last relied on a chunk that no manifest names; nil where one does or it is not there.
    static func unusedSince(
        _ digest: Digest,
        in tree: TreeNumber,
        _ db: borrowing StoreConnection
    ) throws -> Timestamp? {
        try db.first(
            "SELECT touched FROM chunks WHERE tree = ?1 AND digest = ?2 AND usage = 0",
            [.integer(tree), .digest(digest)]
        ) { try $0.timestamp(0) }
    }

    /// What of these the owner stores, and whether a manifest names it.
    static func known(
        _ digests: [Digest],
        in tree: TreeNumber,
        _ db: borrowing StoreConnection
    ) throws -> [Digest: Bool] {
        var known: [Digest: Bool] = [:]
        if case .postgres(let connection) = db.backend {
            let rows = try connection.pointee.query(
                "SELECT digest, usage FROM chunks WHERE tree = $1 AND digest = ANY($2)",
                [.integer(tree), .digests(digests)]
            )
            for row in rows { known[try row.digest(0)] = try row.int64(1) > 0 }
            return known
        }
        for digest in digests {
            try db.withStatement("SELECT usage FROM chunks WHERE tree = ?1 AND digest = ?2") { statement in
                try statement.bind(tree, at: 1)
                try statement.bind(digest, at: 2)
                if try statement.step() { known[digest] = try statement.int64(0) > 0 }
            }
        }
        return known
    }

    // MARK: Collecting and moving

    struct Placed: Sendable {
        let tree: TreeNumber
        let digest: Digest
        let location: ChunkLocation
    }

    private static func placed(_ row: borrowing StoreStatement) throws -> Placed {
        Placed(tree: try row.int64(0), digest: try row.digest(1), location: try location(row, from: 2))
    }

    static func unused(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> [Placed] {
        try db.query(
            """
            SELECT tree, digest, segment, position, stored_bytes, raw_bytes, compression
            FROM chunks WHERE usage = 0 AND touched < ?1 ORDER BY touched LIMIT ?2
            """,
            [.time(time), .integer(limit)],
            placed
        )
    }

    /// False where somebody relied on it meanwhile.
    static func delete(_ chunk: Placed, unusedBefore time: Timestamp, _ db: borrowing StoreConnection) throws -> Bool {
        let isDeleted =
            try db.execute(
                """
                DELETE FROM chunks WHERE tree = ?1 AND digest = ?2 AND usage = 0 AND touched < ?3 AND segment = ?4
                    AND position = ?5
                """,
                [
                    .integer(chunk.tree), .digest(chunk.digest), .time(time), .integer(chunk.location.segment),
                    .integer(chunk.location.position),
                ]
            ) > 0
        if isDeleted, chunk.location.isInRow { try SmallChunkTable.delete(chunk.location.position, db) }
        return isDeleted
    }

    /// The chunk lies elsewhere from now on. False where it lay no longer where it was thought to.
    static func move(_ chunk: Placed, to location: ChunkLocation, _ db: borrowing StoreConnection) throws -> Bool {
        try db.execute(
            """
            UPDATE chunks SET segment = ?3, position = ?4, stored_bytes = ?7, compression = ?8
            WHERE tree = ?1 AND digest = ?2 AND segment = ?5 AND position = ?6
            """,
            [
                .integer(chunk.tree), .digest(chunk.digest), .integer(location.segment), .integer(location.position),
                .integer(chunk.location.segment), .integer(chunk.location.position), .integer(location.storedBytes),
                .integer(Int(location.compression.rawValue)),
            ]
        ) > 0
    }

    /// By segment, what its indexed chunks take there.
    static func segments(_ db: borrowing StoreConnection) throws -> [Int64: Int64] {
        let rows = try db.query(
            """
            SELECT segment, count(*), CAST(sum(stored_bytes) AS BIGINT) FROM chunks WHERE segment > 0 GROUP BY segment
            """
        ) { (try $0.int64(0), try $0.int64(1) * Int64(ChunkHeader.byteCount) + $0.int64(2)) }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    static func inSegment(
        _ segment: Int64,
        after position: Int64,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [Placed] {
        try db.query(
            """
            SELECT tree, digest, segment, position, stored_bytes, raw_bytes, compression
            FROM chunks WHERE segment = ?1 AND position > ?2 ORDER BY position LIMIT ?3
            """,
            [.integer(segment), .integer(position), .integer(limit)],
            placed
        )
    }

    /// The chunks of one tree in order, a page of them.
    static func page(
        of tree: TreeNumber,
        after last: Digest?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [(chunk: Placed, usage: Int64)] {
        try db.query(
            """
            SELECT tree, digest, segment, position, stored_bytes, raw_bytes, compression, usage
            FROM chunks WHERE tree = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3
            """,
            [.integer(tree), .blob(last?.bytes ?? []), .integer(limit)]
        ) { (try placed($0), try $0.int64(7)) }
    }

    /// All chunks in order, a page of them after the last one of the page before.
    static func page(
        after last: (tree: TreeNumber, digest: Digest)?,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [(chunk: Placed, usage: Int64)] {
        try db.query(
            """
            SELECT tree, digest, segment, position, stored_bytes, raw_bytes, compression, usage
            FROM chunks WHERE tree > ?1 OR (tree = ?1 AND digest > ?2) ORDER BY tree, digest LIMIT ?3
            """,
            [.integer(last?.tree ?? -1), .blob(last?.digest.bytes ?? []), .integer(limit)]
        ) { (try placed($0), try $0.int64(7)) }
    }
}

/// A chunk whose bytes are safe, or will be with the transaction that enters it.
enum StoredChunk: Sendable {
    case placed(Digest, ChunkLocation)
    case inRow(PackedChunk)

    var digest: Digest {
        switch self {
        case .placed(let digest, _): digest
        case .inRow(let packed): packed.digest
        }
    }
}
