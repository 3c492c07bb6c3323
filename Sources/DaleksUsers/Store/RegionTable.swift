import DaleksAPI
import DaleksCore
import DaleksSQLite

/// `regions`: the directory.
enum RegionTable {
    /// A region that takes users.
    static let open = "open"
    /// One that the configuration does not name any more.
    static let closed = "closed"

    /// Writes down what the configuration says. Regions of it that it does not name any more are closed; those of other
    /// origin stay as they are.
    static func configure(_ regions: [RegionRecord], _ db: borrowing Connection) throws {
        try db.execute("UPDATE regions SET status = ?1 WHERE origin = 'configuration'", [.text(closed)])
        for (position, region) in regions.enumerated() {
            try db.execute(
                """
                INSERT INTO regions (code, name, files_url, status, origin, position)
                VALUES (?1, ?2, ?3, ?4, 'configuration', ?5)
                ON CONFLICT (code) DO UPDATE SET name = ?2, files_url = ?3, status = ?4, origin = 'configuration',
                    position = ?5
                """,
                [
                    .text(region.code), .text(region.name), .text(region.filesURL), .text(region.status),
                    .integer(position),
                ]
            )
        }
    }

    /// Those that users can be in, the first one first.
    static func allOpen(_ db: borrowing Connection) throws -> [RegionRecord] {
        try db.query(
            "SELECT code, name, files_url, status FROM regions WHERE status = ?1 ORDER BY position, code",
            [.text(open)],
            region
        )
    }

    static func open(code: String, _ db: borrowing Connection) throws -> RegionRecord? {
        try db.first(
            "SELECT code, name, files_url, status FROM regions WHERE code = ?1 AND status = ?2",
            [.text(code), .text(open)],
            region
        )
    }

    static func open(filesURL: String, _ db: borrowing Connection) throws -> RegionRecord? {
        try db.first(
            "SELECT code, name, files_url, status FROM regions WHERE files_url = ?1 AND status = ?2",
            [.text(filesURL), .text(open)],
            region
        )
    }

    private static func region(_ row: borrowing Row) throws -> RegionRecord {
        RegionRecord(
            code: try row.text(0),
            name: try row.text(1),
            filesURL: try row.text(2),
            status: try row.text(3)
        )
    }
}
