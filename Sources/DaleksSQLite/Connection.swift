/// A database inside one transaction. It reaches the closure of `Database.read` or `write` and cannot leave it.
public struct Connection: ~Copyable {
    let handle: Handle

    init(_ handle: Handle) { self.handle = handle }

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of this value.
    deinit {}

    /// Runs a statement that gives no rows; the count of changed rows.
    @discardableResult
    public borrowing func execute(_ sql: SQL, _ bindings: [Value] = []) throws(SQLiteError) -> Int {
        let prepared = try handle.take(sql)
        defer { handle.giveBack(prepared) }
        let statement = Statement(prepared: prepared, handle: handle)
        try statement.bind(bindings)
        return try statement.run()
    }

    /// All rows, each turned into a value by the closure.
    public borrowing func query<Element>(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ row: (borrowing Row) throws -> Element
    ) throws -> [Element] {
        var elements: [Element] = []
        try forEach(sql, bindings) { elements.append(try row($0)) }
        return elements
    }

    /// Each row in turn, for results that need not be held at once.
    public borrowing func forEach(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ body: (borrowing Row) throws -> Void
    ) throws {
        try withStatement(sql) { statement in
            try statement.bind(bindings)
            let row = Row(statement: statement.prepared)
            while try statement.step() { try body(row) }
        }
    }

    /// The first row, nil where there is none.
    public borrowing func first<Element>(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ row: (borrowing Row) throws -> Element
    ) throws -> Element? {
        try withStatement(sql) { statement in
            try statement.bind(bindings)
            guard try statement.step() else { return nil }
            return try row(Row(statement: statement.prepared))
        }
    }

    /// True when there is a row.
    public borrowing func exists(_ sql: SQL, _ bindings: [Value] = []) throws -> Bool {
        try withStatement(sql) { statement in
            try statement.bind(bindings)
            return try statement.step()
        }
    }

    /// The hot path: the compiled statement itself, to bind and read without allocating.
    public borrowing func withStatement<Result>(
        _ sql: SQL,
        _ body: (borrowing Statement) throws -> Result
    ) throws -> Result {
        let prepared = try handle.take(sql)
        defer { handle.giveBack(prepared) }
        return try body(Statement(prepared: prepared, handle: handle))
    }

    /// A part that can fail alone: when the closure throws, what it did is undone and the transaction goes on, unless
    /// SQLite had to roll all of it back (a full disk, an interruption); then the next statement says so.
    @discardableResult
    public borrowing func savepoint<Result>(_ body: (borrowing Connection) throws -> Result) throws -> Result {
        let handle = handle
        return try handle.savepoint { try body(Connection(handle)) }
    }

    public var lastInsertRowID: Int64 { handle.lastInsertRowID }

    /// Rows that the last statement changed, those changed by its triggers and foreign keys apart.
    public var changes: Int { handle.changes }

    /// Statements this connection keeps compiled: never more than `Limits.SQLite.cachedStatementsMax`.
    public var cachedStatementCount: Int { handle.cachedStatementCount }
}
