import DaleksCore

/// A statement with its values. `$1` is the first.
public struct PostgresStatement: Sendable {
    public let sql: String
    public let values: [PostgresValue]

    public init(_ sql: String, _ values: [PostgresValue] = []) {
        self.sql = sql
        self.values = values
    }

    func encoded() throws(PostgresError) -> Parameters {
        guard sql.utf8.count <= Limits.Postgres.statementBytesMax, !sql.utf8.contains(0) else {
            throw PostgresError(.tooLarge, "the statement's text is too long or holds a NUL")
        }
        return try Parameters(values, sql: sql)
    }
}
