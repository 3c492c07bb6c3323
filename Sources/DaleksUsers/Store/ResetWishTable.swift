import DaleksCore
import DaleksSQLite

/// That somebody forgot a password, as a stranger said it.
struct ResetWish: Sendable {
    let email: Email
    let origin: Origin
    let time: Timestamp

    init(email: Email, from origin: Origin, at time: Timestamp) {
        self.email = email
        self.origin = origin
        self.time = time
    }
}

/// `reset_wishes`: what was asked and not looked at yet.
enum ResetWishTable {
    struct Numbered: Sendable {
        let number: Int64
        let wish: ResetWish
    }

    static func insert(_ wish: ResetWish, _ db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO reset_wishes (email, client, site, request, time) VALUES (?1, ?2, ?3, ?4, ?5)",
            [
                .text(wish.email.text), .text(wish.origin.client), .text(wish.origin.site),
                .text(wish.origin.request), .time(wish.time),
            ]
        )
    }

    static func first(_ db: borrowing Connection) throws -> Numbered? {
        try db.first(
            "SELECT number, email, client, site, request, time FROM reset_wishes ORDER BY number LIMIT 1"
        ) { row in
            let origin = Origin(client: try row.text(2), site: try row.text(3), request: try row.text(4))
            let email = Email(stored: try row.text(1))
            return Numbered(
                number: try row.int64(0),
                wish: ResetWish(email: email, from: origin, at: try row.timestamp(5))
            )
        }
    }

    /// False where somebody else took it.
    static func take(_ number: Int64, _ db: borrowing Connection) throws -> Bool {
        try db.execute("DELETE FROM reset_wishes WHERE number = ?1", [.integer(number)]) == 1
    }
}
