import DaleksCore
import DaleksPostgres
import DaleksSQLite

/// Many chunks at once, on PostgreSQL: each statement costs a way there and back, and a batch of small files brings
/// hundreds of chunks.
extension ChunkTable {
    /// Enters chunks, each once. Gives those that the owner did not store before.
    static func insertSet(
        _ chunks: [StoredChunk],
        in tree: TreeNumber,
        touched: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Set<Digest> {
        let known = try known(chunks.map(\.digest), in: tree, db)
        let missing = chunks.filter { known[$0.digest] == nil }
        guard !missing.isEmpty else { return [] }
        let numbers = try SmallChunkTable.insertSet(missing.compactMap(\.packed), in: tree, at: touched, db)
        let places = try missing.map { chunk -> ChunkLocation in
            switch chunk {
            case .placed(_, let location): return location
            case .inRow(let packed):
                guard let number = numbers[packed.digest] else { throw RecordError(record: "number") }
                return packed.location(inRow: number)
            }
        }
        var entered: Set<Digest> = []
        try db.query(
            sets: """
                INSERT INTO chunks
                    (tree, digest, segment, position, stored_bytes, raw_bytes, compression, usage, touched)
                SELECT $1, named, segment, place, stored, raw, packing, 0, $2
                FROM unnest($3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
                    AS given (named, segment, place, stored, raw, packing)
                ON CONFLICT (tree, digest) DO NOTHING RETURNING digest
                """,
            [
                .integer(tree), .time(touched), .digests(missing.map(\.digest)), .integers(places.map(\.segment)),
                .integers(places.map(\.position)), .integers(places.map { Int64($0.storedBytes) }),
                .integers(places.map { Int64($0.rawBytes) }), .integers(places.map { Int64($0.compression.rawValue) }),
            ]
        ) { row in entered.insert(try row.digest(0)) }
        // Another process was quicker with the others.
        for (digest, number) in numbers where !entered.contains(digest) { try SmallChunkTable.delete(number, db) }
        return entered
    }

    /// As `touch`, of those that are there.
    static func touchSet(
        _ digests: [Digest],
        in tree: TreeNumber,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        guard case .postgres(let connection) = db.backend, !digests.isEmpty else { return }
        try connection.pointee.execute(
            "UPDATE chunks SET touched = greatest(touched, $2) WHERE tree = $1 AND digest = ANY($3)",
            [.integer(tree), .time(time), .digests(digests)]
        )
    }
}

extension SmallChunkTable {
    /// The numbers that the rows got.
    static func insertSet(
        _ chunks: [PackedChunk],
        in tree: TreeNumber,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> [Digest: Int64] {
        guard !chunks.isEmpty else { return [:] }
        var numbers: [Digest: Int64] = [:]
        try db.query(
            sets: """
                INSERT INTO small_chunks (tree, digest, entered, body)
                SELECT $1, named, $2, bytes FROM unnest($3::bytea[], $4::bytea[]) AS given (named, bytes)
                RETURNING digest, number
                """,
            [.integer(tree), .time(time), .digests(chunks.map(\.digest)), .blobs(chunks.map(\.stored))]
        ) { row in numbers[try row.digest(0)] = try row.int64(1) }
        return numbers
    }
}

extension ClaimTable {
    static func claimSet(
        _ digests: [Digest],
        in tree: TreeNumber,
        by claimant: UserID,
        at time: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        guard case .postgres(let connection) = db.backend, !digests.isEmpty else { return }
        try connection.pointee.execute(
            """
            INSERT INTO chunk_claims (tree, digest, claimant, claimed)
            SELECT $1, named, $2, $3 FROM unnest($4::bytea[]) AS given (named)
            ON CONFLICT (tree, digest, claimant) DO UPDATE SET claimed = excluded.claimed
            """,
            [.integer(tree), .id(claimant), .time(time), .digests(digests)]
        )
    }
}

extension StoredChunk {
    fileprivate var packed: PackedChunk? {
        if case .inRow(let packed) = self { packed } else { nil }
    }
}
