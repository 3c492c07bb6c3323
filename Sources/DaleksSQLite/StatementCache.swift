import DaleksCore

/// The statements a connection keeps compiled, at most `Limits.SQLite.cachedStatementsMax`; the one unused for longest
/// goes first.
struct StatementCache {
    private var statements: [SQL: PreparedStatement] = [:]
    private var clock: UInt64 = 0

    var count: Int { statements.count }

    /// The statement, marked as in use. One that an outer scope is using is compiled a second time, and not kept.
    mutating func take(_ sql: SQL, on database: OpaquePointer) throws(SQLiteError) -> PreparedStatement {
        clock += 1
        if let statement = statements[sql] {
            statement.lastUse = clock
            guard statement.isInUse else {
                statement.isInUse = true
                return statement
            }
            return try PreparedStatement(sql, on: database, isKept: false)
        }
        let statement = try PreparedStatement(sql, on: database, isKept: true)
        statement.lastUse = clock
        statement.isInUse = true
        if statements.count >= Limits.SQLite.cachedStatementsMax { evictOldest() }
        statements[sql] = statement
        return statement
    }

    /// Takes back what `take` gave.
    func giveBack(_ statement: PreparedStatement) {
        statement.reset()
        statement.isInUse = false
    }

    /// A linear search: it happens only where a program has more statements than the cache, which is then the thing to
    /// change. A statement in use is only forgotten; whoever uses it keeps it alive.
    private mutating func evictOldest() {
        guard let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
        statements[oldest.key] = nil
    }

    mutating func removeAll() { statements.removeAll() }
}
