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
    ) throws -> (client: OAuthClient, standing: Standing?)? {
        try db.first(byClientAndSession, [.text(client), .id(session)]) { row in
            let afterSession = SessionTable.columnCount
            // Neither may be there: a session that was pruned, an account that was deleted.
            let isThere = !row.isNull(0) && !row.isNull(afterSession)
            return (
                client: try OAuthClientTable.client(row, from: afterSession + AccountTable.columnCount),
                standing: isThere ? try standing(row) : nil
            )
        }
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
