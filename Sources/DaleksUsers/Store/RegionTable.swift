import DaleksAPI
import DaleksCore
import DaleksSQLite

/// `regions`: the directory.
enum RegionTable {
    /// A region that takes users.
    static let open = "open"
    /// One that serves those who live there and takes nobody new.
    static let draining = "draining"
    /// One that the configuration does not name any more, or that an administrator closed.
    static let closed = "closed"

    /// A region as administrators see it.
    struct Entry: Sendable {
        let region: RegionRecord
        let origin: String
        let isEnrolled: Bool
    }

    private static let columns = "code, name, files_url, status"
    private static let choosable = SQL(
        "SELECT \(columns) FROM regions WHERE status = 'open' ORDER BY position, code"
    )
    private static let serving = SQL(
        "SELECT \(columns), is_up, checked FROM regions WHERE status <> 'closed' ORDER BY position, code"
    )
    private static let byCode = SQL("SELECT \(columns) FROM regions WHERE code = ?1 AND status <> 'closed'")
    private static let byURL = SQL("SELECT \(columns) FROM regions WHERE files_url = ?1 AND status <> 'closed'")

    /// Writes down what the configuration says. Regions of it that it does not name any more are closed; those that an
    /// administrator made or changed stay as they are.
    static func configure(_ regions: [RegionRecord], _ db: borrowing Connection) throws {
        for region in try db.query("SELECT code FROM regions WHERE origin = 'configuration'", [], { try $0.text(0) })
        where !regions.contains(where: { $0.code == region }) {
            try db.execute("UPDATE regions SET status = 'closed' WHERE code = ?1", [.text(region)])
        }
        for (position, region) in regions.enumerated() {
            try db.execute(
                """
                INSERT INTO regions (code, name, files_url, status, origin, position)
                VALUES (?1, ?2, ?3, ?4, 'configuration', ?5)
                ON CONFLICT (code) DO UPDATE SET name = ?2, files_url = ?3, status = ?4, position = ?5
                WHERE regions.origin = 'configuration'
                """,
                [
                    .text(region.code), .text(region.name), .text(region.filesURL), .text(region.status),
                    .integer(position),
                ]
            )
        }
    }

    /// Those that users can choose, the first one first.
    static func allOpen(_ db: borrowing Connection) throws -> [RegionRecord] { try db.query(choosable, [], region) }

    /// Those that serve anybody, with how they were when they were asked last.
    static func listed(_ db: borrowing Connection) throws -> [RegionRecord] {
        try db.query(serving) { row in
            var region = try region(row)
            region.isUp = try row.optionalInt64(4).map { $0 == 1 }
            region.checked = try row.optionalTimestamp(5)
            return region
        }
    }

    /// One that serves.
    static func open(code: String, _ db: borrowing Connection) throws -> RegionRecord? {
        try db.first(byCode, [.text(code)], region)
    }

    static func open(filesURL: String, _ db: borrowing Connection) throws -> RegionRecord? {
        try db.first(byURL, [.text(filesURL)], region)
    }

    // MARK: Administration

    static func entries(_ db: borrowing Connection) throws -> [Entry] {
        try db.query(
            """
            SELECT code, name, files_url, status, is_up, checked, origin, secret FROM regions ORDER BY position, code
            """
        ) { row in
            var region = try region(row)
            region.isUp = try row.optionalInt64(4).map { $0 == 1 }
            region.checked = try row.optionalTimestamp(5)
            return Entry(region: region, origin: try row.text(6), isEnrolled: !row.isNull(7))
        }
    }

    /// In whatever state.
    static func load(code: String, _ db: borrowing Connection) throws -> RegionRecord? {
        try db.first("SELECT code, name, files_url, status FROM regions WHERE code = ?1", [.text(code)], region)
    }

    /// What an administrator, or a files service that enrols, says of a region. Tokens are told apart by the URL, so
    /// that no two regions may have one: false, and nothing changes, where another has it.
    static func save(_ region: RegionRecord, _ db: borrowing Connection) throws -> Bool {
        let isTaken = try db.exists(
            "SELECT 1 FROM regions WHERE files_url = ?1 AND code <> ?2 AND status <> 'closed'",
            [.text(region.filesURL), .text(region.code)]
        )
        guard !isTaken else { return false }
        let last = try db.query("SELECT position FROM regions", [], { try $0.int64(0) }).max() ?? -1
        try db.execute(
            """
            INSERT INTO regions (code, name, files_url, status, origin, position)
            VALUES (?1, ?2, ?3, ?4, 'administrator', ?5)
            ON CONFLICT (code) DO UPDATE SET name = ?2, files_url = ?3, status = ?4, origin = 'administrator'
            """,
            [
                .text(region.code), .text(region.name), .text(region.filesURL), .text(region.status),
                .integer(last + 1),
            ]
        )
        return true
    }

    static func delete(code: String, _ db: borrowing Connection) throws {
        try db.execute("DELETE FROM regions WHERE code = ?1", [.text(code)])
    }

    static func note(isUp: Bool, of code: String, at time: Timestamp, _ db: borrowing Connection) throws {
        try db.execute(
            "UPDATE regions SET is_up = ?2, checked = ?3 WHERE code = ?1",
            [.text(code), .bool(isUp), .time(time)]
        )
    }

    // MARK: The files service's own credentials

    /// Nil takes them away.
    static func setSecret(_ digest: Digest?, of code: String, _ db: borrowing Connection) throws {
        try db.execute("UPDATE regions SET secret = ?2 WHERE code = ?1", [.text(code), .optional(digest)])
    }

    /// Of a region that serves.
    static func secret(of code: String, _ db: borrowing Connection) throws -> Digest? {
        try db.first("SELECT secret FROM regions WHERE code = ?1 AND status <> 'closed'", [.text(code)]) { row in
            try row.optionalDigest(0)
        } ?? nil
    }

    static func addEnrolment(
        _ token: Digest,
        code: String,
        name: String?,
        expires: Timestamp,
        _ db: borrowing Connection
    ) throws {
        try db.execute("DELETE FROM enrolments WHERE code = ?1", [.text(code)])
        try db.execute(
            "INSERT INTO enrolments (token, code, name, expires) VALUES (?1, ?2, ?3, ?4)",
            [.digest(token), .text(code), .optional(name), .time(expires)]
        )
    }

    /// The region that the token is for; it is good once.
    static func takeEnrolment(
        _ token: Digest,
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws -> (code: String, name: String?)? {
        try db.query(
            "DELETE FROM enrolments WHERE token = ?1 AND expires > ?2 RETURNING code, name",
            [.digest(token), .time(now)]
        ) { (code: try $0.text(0), name: try $0.optionalText(1)) }.first
    }

    private static func region(_ row: borrowing Row) throws -> RegionRecord { try region(row, from: 0) }

    /// For statements that ask other tables as well.
    static let columnsOfR = "r.code, r.name, r.files_url, r.status"

    /// From a row whose columns from there on are a region's.
    static func region(_ row: borrowing Row, from first: Int) throws -> RegionRecord {
        RegionRecord(
            code: try row.text(first),
            name: try row.text(first + 1),
            filesURL: try row.text(first + 2),
            status: try row.text(first + 3)
        )
    }
}
