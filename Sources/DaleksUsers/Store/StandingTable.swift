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

    /// The program that asks, and what it asks about.
    struct Finding: Sendable {
        let client: OAuthClient
        /// Nil where the session or its account is gone.
        let standing: Standing?
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

    private static let byClientAndSession = SQL(
        """
        SELECT \(SessionTable.columnsOfS), \(AccountTable.columnsOfA), \(OAuthClientTable.columnsOfC)
        FROM oauth_clients c LEFT JOIN sessions s ON s.id = ?2 LEFT JOIN accounts a ON a.id = s.account WHERE c.id = ?1
        """
    )

    /// The program that asks, and what it asks about. Nil where there is no such program.
    static func load(
        _ session: SessionID,
        askedBy client: String,
        _ db: borrowing Connection
    ) throws -> Finding? {
        try db.first(byClientAndSession, [.text(client), .id(session)], finding)
    }

    private static func finding(_ row: borrowing Row) throws -> Finding {
        let afterSession = SessionTable.columnCount
        // Neither may be there: a session that was pruned, an account that was deleted.
        let isThere = !row.isNull(0) && !row.isNull(afterSession)
        return Finding(
            client: try OAuthClientTable.client(row, from: afterSession + AccountTable.columnCount),
            standing: isThere ? try standing(row) : nil
        )
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
            SELECT \(SessionTable.columnsOfS), \(AccountTable.columnsOfA), \(OAuthClientTable.columnsOfC), q.number
            FROM q JOIN oauth_clients c ON c.id = q.client LEFT JOIN sessions s ON s.id = q.session
                LEFT JOIN accounts a ON a.id = s.account
            """
        )
    }

    /// The same for several at once, `Limits.Users.gatheredQuestionsMax` at most.
    static func load(_ questions: [Question], _ db: borrowing Connection) throws -> [Finding?] {
        guard questions.count > 1 else {
            return try questions.map { try load($0.session, askedBy: $0.client, db) }
        }
        let numbered = SessionTable.columnCount + AccountTable.columnCount + OAuthClientTable.columnCount
        var found = [Finding?](repeating: nil, count: questions.count)
        let sql = byClientsAndSessions[questions.count]
        let rowsFound = try db.query(sql, questions.flatMap { [.text($0.client), .id($0.session)] }) { row in
            (try row.int(numbered), try finding(row))
        }
        for (number, finding) in rowsFound { found[number] = finding }
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
