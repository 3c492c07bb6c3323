import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// An upload that goes on over several requests, as the database has it.
struct StoredUpload: Hashable, Sendable {
    let id: UploadID
    let holder: UserID
    /// Where its chunks are.
    let tree: TreeNumber
    /// The folder that gets a new file, or with no name the file that gets new content. Nil for a part.
    let target: NodeID?
    let name: Name?
    let base: Revision?
    /// Nil while the client has not said.
    var length: Int64?
    var received: Int64
    /// One of several that are joined later; `final` names them, as the client wrote it.
    let isPartial: Bool
    let final: String?
    let metadata: String?
    /// What it became.
    var node: NodeID?
    var expires: Timestamp

    var isComplete: Bool { length == received }
}

enum UploadKindTag {}
typealias UploadID = Identifier<UploadKindTag>

/// `uploads` and `upload_spans`. Whole spans are chunks of the tree and count as used; what is less than one waits in
/// the row.
enum UploadTable {
    static func insert(_ upload: StoredUpload, _ db: borrowing StoreConnection) throws {
        try db.execute(
            """
            INSERT INTO uploads (id, holder, tree, target, name, base, length, received, is_partial, final, metadata,
                node, tail, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
            """,
            [
                .id(upload.id), .id(upload.holder), .integer(upload.tree), .optional(upload.target),
                .optional(upload.name?.bytes), .optional(upload.base), .optional(upload.length),
                .integer(upload.received), .bool(upload.isPartial), .optional(upload.final),
                .optional(upload.metadata), .optional(upload.node), .blob([]), .time(upload.expires),
            ]
        )
    }

    static func load(_ id: UploadID, _ db: borrowing StoreConnection) throws -> StoredUpload? {
        try db.first(
            """
            SELECT id, holder, tree, target, name, base, length, received, is_partial, final, metadata, node, expires
            FROM uploads WHERE id = ?1
            """,
            [.id(id)]
        ) { row in
            StoredUpload(
                id: try row.identifier(0),
                holder: try row.identifier(1),
                tree: try row.int64(2),
                target: try row.optionalIdentifier(3),
                name: try row.optionalName(4),
                base: try row.optionalInt64(5),
                length: try row.optionalInt64(6),
                received: try row.int64(7),
                isPartial: try row.bool(8),
                final: try row.optionalText(9),
                metadata: try row.optionalText(10),
                node: try row.optionalIdentifier(11),
                expires: try row.timestamp(12)
            )
        }
    }

    static func count(of holder: UserID, _ db: borrowing StoreConnection) throws -> Int64 {
        try db.first(
            "SELECT count(*) FROM uploads WHERE holder = ?1 AND node IS NULL",
            [.id(holder)]
        ) { try $0.int64(0) } ?? 0
    }

    static func tail(of id: UploadID, _ db: borrowing StoreConnection) throws -> [UInt8] {
        try db.first("SELECT tail FROM uploads WHERE id = ?1", [.id(id)]) { try $0.blob(0) } ?? []
    }

    static func spans(of id: UploadID, _ db: borrowing StoreConnection) throws -> [Digest] {
        try db.query(
            "SELECT digest FROM upload_spans WHERE upload = ?1 ORDER BY position",
            [.id(id)]
        ) { try $0.digest(0) }
    }

    /// Takes what came; false where something else came first.
    static func advance(
        _ upload: StoredUpload,
        to received: Int64,
        adding spans: [Digest],
        tail: [UInt8],
        until expires: Timestamp,
        at now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        let changed = try db.execute(
            "UPDATE uploads SET received = ?3, tail = ?4, expires = ?5, length = ?6 WHERE id = ?1 AND received = ?2",
            [
                .id(upload.id), .integer(upload.received), .integer(received), .blob(tail), .time(expires),
                .optional(upload.length),
            ]
        )
        guard changed == 1 else { return false }
        var position = upload.received / Int64(Limits.spanBytes)
        for digest in spans {
            try db.execute(
                "INSERT INTO upload_spans (upload, position, digest) VALUES (?1, ?2, ?3)",
                [.id(upload.id), .integer(position), .digest(digest)]
            )
            try ChunkTable.count(1, of: digest, in: upload.tree, at: now, db)
            position += 1
        }
        return true
    }

    /// Nothing is kept for it any more but, where it became a node, the row that says so.
    static func release(
        _ upload: StoredUpload,
        becoming node: NodeID?,
        at now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        for digest in try spans(of: upload.id, db) {
            try ChunkTable.count(-1, of: digest, in: upload.tree, at: now, db)
        }
        try db.execute("DELETE FROM upload_spans WHERE upload = ?1", [.id(upload.id)])
        guard let node else {
            try db.execute("DELETE FROM uploads WHERE id = ?1", [.id(upload.id)])
            return
        }
        try db.execute(
            "UPDATE uploads SET node = ?2, received = ?3, length = ?3, tail = ?4 WHERE id = ?1",
            [.id(upload.id), .id(node), .integer(upload.length ?? upload.received), .blob([])]
        )
    }

    static func expired(at time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> [UploadID] {
        try db.query(
            "SELECT id FROM uploads WHERE expires < ?1 ORDER BY expires LIMIT ?2",
            [.time(time), .integer(limit)]
        ) { try $0.identifier(0) }
    }
}

extension TreeStore {
    /// Uploads that nobody went on with.
    func expireUploads(limit: Int) throws(APIError) -> Int {
        let now = time.wall
        return try write(.normal) { db in
            let due = try UploadTable.expired(at: now, limit: limit, db)
            for id in due {
                guard let upload = try UploadTable.load(id, db) else { continue }
                try UploadTable.release(upload, becoming: nil, at: now, db)
            }
            return due.count
        }
    }
}
