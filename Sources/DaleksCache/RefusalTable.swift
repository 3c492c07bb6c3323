public import DaleksCore
public import DaleksSQLite

/// Rows of the journal that are set aside: the region refused them, or they lack something that must be got first.
public enum RefusalTable {
    public struct Refusal: Hashable, Sendable {
        public var place: Int64
        /// The region's word for why, or one of ours.
        public var code: String
        public var detail: String
        public var attempts: Int64
        /// By this machine's clock; earlier the row is not sent.
        public var retryAt: Timestamp

        public init(place: Int64, code: String, detail: String, attempts: Int64 = 0, retryAt: Timestamp) {
            self.place = place
            self.code = code
            self.detail = detail
            self.attempts = attempts
            self.retryAt = retryAt
        }
    }

    /// Why we set a row aside ourselves. On disk: never change one.
    public enum Code {
        /// The region has another content, and not all of ours is here: the rest has to be fetched first.
        public static let otherBase = "base_changed"
        /// The same where the file is gone at the region.
        public static let goneBase = "base_gone"

        public static func needsBase(_ code: String) -> Bool { code == otherBase || code == goneBase }
    }

    private static let columns = "place, code, detail, attempts, retry_at"

    public static func set(_ refusal: Refusal, in db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO refusals (place, code, detail, attempts, retry_at) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (place) DO UPDATE SET code = excluded.code, detail = excluded.detail,
               attempts = excluded.attempts, retry_at = excluded.retry_at
            """,
            [
                .integer(refusal.place), .text(refusal.code), .text(refusal.detail), .integer(refusal.attempts),
                .time(refusal.retryAt),
            ]
        )
    }

    public static func find(_ place: Int64, in db: borrowing Connection) throws -> Refusal? {
        try db.first(
            "SELECT place, code, detail, attempts, retry_at FROM refusals WHERE place = ?1",
            [.integer(place)],
            decode
        )
    }

    public static func all(in db: borrowing Connection) throws -> [Refusal] {
        try db.query("SELECT place, code, detail, attempts, retry_at FROM refusals ORDER BY place", [], decode)
    }

    public static func count(in db: borrowing Connection) throws -> Int64 {
        try db.first("SELECT count(*) FROM refusals", [], { row in try row.int64(0) }) ?? 0
    }

    public static func exists(_ code: String, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM refusals WHERE code = ?1", [.text(code)])
    }

    /// Everything is worth an attempt now.
    public static func makeAllDue(in db: borrowing Connection) throws {
        try db.execute("UPDATE refusals SET retry_at = 0")
    }

    public static func delete(_ place: Int64, in db: borrowing Connection) throws {
        try db.execute("DELETE FROM refusals WHERE place = ?1", [.integer(place)])
    }

    private static func decode(_ row: borrowing Row) throws -> Refusal {
        Refusal(
            place: try row.int64(0),
            code: try row.text(1),
            detail: try row.text(2),
            attempts: try row.int64(3),
            retryAt: Timestamp(nanoseconds: try row.int64(4))
        )
    }
}
