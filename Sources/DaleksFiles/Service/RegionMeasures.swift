import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// How much the region holds, for `/metrics`. The sums look at every tree and chunk, so they are made anew with each
/// round of the collector, not with each look.
struct RegionMeasures: Sendable {
    private let store: TreeStore
    private let gauges: [(Gauge, @Sendable (RegionUsage) -> Double)]

    init(_ metrics: Metrics, store: TreeStore) {
        self.store = store
        func gauge(
            _ name: String,
            _ help: String,
            labels: Metrics.Labels = [:],
            _ value: @escaping @Sendable (RegionUsage) -> Double
        ) -> (Gauge, @Sendable (RegionUsage) -> Double) {
            (metrics.gauge("daleks_files_\(name)", help: help, labels: labels), value)
        }
        let bytes = "Bytes as their owners see them: of files, of earlier versions, of trash."
        let chunks = "Bytes of distinct chunks: before compression, as stored, and stored of those that nothing names."
        gauges = [
            gauge("trees", "Users who have a tree here.") { Double($0.trees) },
            gauge("files", "Files and folders.") { Double($0.files) },
            gauge("owned_bytes", bytes, labels: ["of": "files"]) { Double($0.filesBytes) },
            gauge("owned_bytes", bytes, labels: ["of": "versions"]) { Double($0.versionsBytes) },
            gauge("owned_bytes", bytes, labels: ["of": "trash"]) { Double($0.trashBytes) },
            gauge("chunks", "Distinct chunks.") { Double($0.chunks) },
            gauge("chunk_bytes", chunks, labels: ["as": "raw"]) { Double($0.rawBytes) },
            gauge("chunk_bytes", chunks, labels: ["as": "stored"]) { Double($0.storedBytes) },
            gauge("chunk_bytes", chunks, labels: ["as": "garbage"]) { Double($0.garbageBytes) },
            gauge("deduplication_ratio", "Bytes of files, versions and trash for each byte of a distinct chunk.") {
                RegionUsage.ratio($0.filesBytes + $0.versionsBytes + $0.trashBytes, $0.rawBytes)
            },
            gauge("compression_ratio", "Bytes of chunks for each byte that is stored of them.") {
                RegionUsage.ratio($0.rawBytes, $0.storedBytes)
            },
            gauge("unpacked_chunks", "Small chunks that wait in the database to be moved to the storage.") {
                Double($0.unpackedChunks)
            },
            gauge("open_uploads", "Uploads that are not whole yet.") { Double($0.openUploads) },
            gauge("pending_erasures", "Deleted users whose files are still to be erased.") {
                Double($0.pendingErasures)
            },
        ]
    }

    func refresh() throws(APIError) {
        let usage = try store.regionUsage()
        for (gauge, value) in gauges { gauge.set(value(usage)) }
    }
}

/// Sums over all that a region holds.
struct RegionUsage: Sendable {
    var trees: Int64 = 0
    var files: Int64 = 0
    var filesBytes: Int64 = 0
    var versionsBytes: Int64 = 0
    var trashBytes: Int64 = 0
    var chunks: Int64 = 0
    var rawBytes: Int64 = 0
    var storedBytes: Int64 = 0
    var garbageBytes: Int64 = 0
    var unpackedChunks: Int64 = 0
    var openUploads: Int64 = 0
    var pendingErasures: Int64 = 0

    /// 1 where there is nothing.
    static func ratio(_ more: Int64, _ less: Int64) -> Double { less > 0 ? Double(more) / Double(less) : 1 }
}

extension TreeStore {
    func regionUsage() throws(APIError) -> RegionUsage {
        try read { db in
            let trees = try Self.sums(
                """
                SELECT count(*), coalesce(CAST(sum(files_used) AS BIGINT), 0),
                    coalesce(CAST(sum(bytes_used) AS BIGINT), 0), coalesce(CAST(sum(versions_bytes) AS BIGINT), 0),
                    coalesce(CAST(sum(trash_bytes) AS BIGINT), 0)
                FROM trees
                """,
                5,
                db
            )
            let chunks = try Self.sums(
                """
                SELECT count(*), coalesce(CAST(sum(raw_bytes) AS BIGINT), 0),
                    coalesce(CAST(sum(stored_bytes) AS BIGINT), 0)
                FROM chunks
                """,
                3,
                db
            )
            let garbage = try Self.sums(
                "SELECT coalesce(CAST(sum(stored_bytes) AS BIGINT), 0) FROM chunks WHERE usage = 0",
                1,
                db
            )
            let waiting = try Self.sums(
                """
                SELECT (SELECT count(*) FROM small_chunks), (SELECT count(*) FROM uploads WHERE node IS NULL),
                    (SELECT count(*) FROM erasures WHERE finished IS NULL)
                """,
                3,
                db
            )
            return RegionUsage(
                trees: trees[0],
                files: trees[1],
                filesBytes: trees[2],
                versionsBytes: trees[3],
                trashBytes: trees[4],
                chunks: chunks[0],
                rawBytes: chunks[1],
                storedBytes: chunks[2],
                garbageBytes: garbage[0],
                unpackedChunks: waiting[0],
                openUploads: waiting[1],
                pendingErasures: waiting[2]
            )
        }
    }

    /// The numbers of the one row that there is.
    private static func sums(_ sql: SQL, _ count: Int, _ db: borrowing StoreConnection) throws -> [Int64] {
        let row = try db.first(sql) { row in
            var numbers: [Int64] = []
            for column in 0..<count { numbers.append(try row.int64(column)) }
            return numbers
        }
        return row ?? [Int64](repeating: 0, count: count)
    }
}
