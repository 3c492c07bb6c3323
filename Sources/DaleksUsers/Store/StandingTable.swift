import DaleksAPI
import DaleksCore
import DaleksSQLite

/// Questions about a session together with what it hangs on: several tables, one statement, one trip to the database.
enum StandingTable {
    /// What a token's session is, and whose.
    struct Standing: Sendable {
        let session: SessionState
        let account: Account
    }

    /// By what a token stands or falls: a session and its account, as far as that decides.
    struct Vitals: Sendable {
        let account: UserID
        let client: String
        let life: SessionLife
        let ended: Timestamp?
        let lockedSince: Timestamp?
        let email: Email

        init(_ standing: Standing) {
            account = standing.account.id
            client = standing.session.client
            life = standing.session.life
            ended = standing.session.ended
            lockedSince = standing.account.lockedSince
            email = standing.account.email
        }

        /// From a row whose columns from there on are these.
        fileprivate init(_ row: borrowing Row, from first: Int) throws {
            account = try row.identifier(first)
            client = try row.text(first + 1)
            life = SessionLife(
                created: try row.timestamp(first + 2),
                used: try row.timestamp(first + 3),
                until: try row.optionalTimestamp(first + 4)
            )
            ended = try row.optionalTimestamp(first + 5)
            lockedSince = try row.optionalTimestamp(first + 6)
            email = Email(stored: try row.text(first + 7))
        }

        fileprivate static let columns = "a.id, s.client, s.created, s.used, s.until, s.ended, a.locked, a.email"
    }

    /// Of the program that asks, and what it asks about.
    struct Finding: Sendable {
        /// Nil for a public one.
        let clientSecret: Digest?
        /// Nil where the session or its account is gone.
        let vitals: Vitals?
    }

    private static let bySession = SQL(
        """
        SELECT \(SessionTable.columnsOfS), \(AccountTable.columnsOfA)
        FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.id = ?1
        """
    )

    static func load(_ session: SessionID, _ db: borrowing Connection) throws -> Standing? {
        try db.first(bySession, [.id(session)]) { row in try standing(row) }
    }

    /// What a program asks about.
    struct Question: Sendable {
        let session: SessionID
        let client: String
    }

    /// By the number of questions.
    private static let byClientsAndSessions = (0...Limits.Users.gatheredQuestionsMax).map { count in
        let rows = (0..<count).map { "(\($0), ?\(2 * $0 + 1), ?\(2 * $0 + 2))" }.joined(separator: ", ")
        return SQL(
            """
            WITH q (number, client, session) AS (VALUES \(rows))
            SELECT q.number, c.secret, \(Vitals.columns)
            FROM q JOIN oauth_clients c ON c.id = q.client LEFT JOIN sessions s ON s.id = q.session
                LEFT JOIN accounts a ON a.id = s.account
            """
        )
    }

    /// Several at once, `Limits.Users.gatheredQuestionsMax` at most. Nil where there is no such program.
    static func load(_ questions: [Question], _ db: borrowing Connection) throws -> [Finding?] {
        var found = [Finding?](repeating: nil, count: questions.count)
        let sql = byClientsAndSessions[questions.count]
        let rows = try db.query(sql, questions.flatMap { [.text($0.client), .id($0.session)] }) { row in
            (
                number: try row.int(0),
                finding: Finding(
                    clientSecret: try row.optionalDigest(1),
                    // Neither may be there: a session that was pruned, an account that was deleted.
                    vitals: row.isNull(2) ? nil : try Vitals(row, from: 2)
                )
            )
        }
        for row in rows { found[row.number] = row.finding }
        return found
    }

    private static func standing(_ row: borrowing Row) throws -> Standing {
        Standing(
            session: try SessionTable.session(row),
            account: try AccountTable.account(row, from: SessionTable.columnCount)
        )
    }

    // MARK: With the region of the next access token

    private static let withOwnRegion = SQL(
        """
        SELECT \(SessionTable.columnsOfS), \(RegionTable.columnsOfR)
        FROM sessions s LEFT JOIN regions r ON r.code = s.region AND r.status <> 'closed' WHERE s.id = ?1
        """
    )
    private static let withRegionOfURL = SQL(
        """
        SELECT \(SessionTable.columnsOfS), \(RegionTable.columnsOfR)
        FROM sessions s LEFT JOIN regions r ON r.files_url = ?2 AND r.status <> 'closed' WHERE s.id = ?1
        """
    )

    /// A session, and the region with that files URL, or without one the region that the session is for; nil where that
    /// serves nobody.
    static func load(
        _ session: SessionID,
        filesURL: String?,
        _ db: borrowing Connection
    ) throws -> (session: SessionState, region: RegionRecord?)? {
        let sql = filesURL == nil ? withOwnRegion : withRegionOfURL
        return try db.first(sql, [.id(session)] + (filesURL.map { [.text($0)] } ?? [])) { row in
            let first = SessionTable.columnCount
            return (
                session: try SessionTable.session(row),
                region: row.isNull(first) ? nil : try RegionTable.region(row, from: first)
            )
        }
    }
}
