import DaleksCore
import DaleksPostgres
import DaleksSQLite

/// The region's database inside one transaction, whichever database it is. It reaches the closure of
/// `StoreDatabase.read` or `write` and cannot leave it.
///
/// Statements are written once, in the SQL that both understand: `?1` for parameters, `INSERT … ON CONFLICT`,
/// `RETURNING` for numbers that the database draws, blobs for ids, names and digests. Where one of them needs a
/// statement of its own (PostgreSQL: whole batches as sets), the table asks which one it has.
struct StoreConnection: ~Copyable {
    enum Backend {
        // Pointers to what the adapter lent for the duration of its closure, in which this value lives.
        case sqlite(UnsafePointer<Connection>)
        case postgres(UnsafePointer<PostgresConnection>)
    }

    let backend: Backend
    /// Who hears which trees this transaction changes, where somebody wants to know.
    private let writing: TreeStamps.Writing?

    init(_ backend: Backend, writing: TreeStamps.Writing? = nil) {
        self.backend = backend
        self.writing = writing
    }

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of such values.
    deinit {}

    /// Runs a statement that gives no rows; the count of changed rows.
    @discardableResult
    borrowing func execute(_ sql: SQL, _ bindings: [Value] = []) throws -> Int {
        switch backend {
        case .sqlite(let connection): try connection.pointee.execute(sql, bindings)
        case .postgres(let connection):
            try connection.pointee.execute(PostgresDialect.statement(sql), bindings.map(PostgresDialect.value))
        }
    }

    /// All rows, each turned into a value by the closure.
    borrowing func query<Element>(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ row: (borrowing StoreStatement) throws -> Element
    ) throws -> [Element] {
        var elements: [Element] = []
        try forEach(sql, bindings) { elements.append(try row($0)) }
        return elements
    }

    /// Each row in turn, for results that need not be held at once.
    borrowing func forEach(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ body: (borrowing StoreStatement) throws -> Void
    ) throws {
        try withStatement(sql) { statement in
            try statement.bind(bindings)
            while try statement.step() { try body(statement) }
        }
    }

    /// The first row, nil where there is none.
    borrowing func first<Element>(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ row: (borrowing StoreStatement) throws -> Element
    ) throws -> Element? {
        try withStatement(sql) { statement in
            try statement.bind(bindings)
            guard try statement.step() else { return nil }
            return try row(statement)
        }
    }

    /// True when there is a row.
    borrowing func exists(_ sql: SQL, _ bindings: [Value] = []) throws -> Bool {
        try withStatement(sql) { statement in
            try statement.bind(bindings)
            return try statement.step()
        }
    }

    /// The statement itself, to bind and read; on SQLite without allocating.
    borrowing func withStatement<Result>(
        _ sql: SQL,
        _ body: (borrowing StoreStatement) throws -> Result
    ) throws -> Result {
        switch backend {
        case .sqlite(let connection):
            try connection.pointee.withStatement(sql) { statement in
                try withUnsafePointer(to: statement) { try body(StoreStatement(.sqlite($0))) }
            }
        case .postgres(let connection):
            try body(StoreStatement(.postgres(PostgresCursor(sql, on: connection))))
        }
    }

    /// Inserts many rows: on PostgreSQL by one statement, on SQLite row by row, which costs it nothing.
    ///
    /// The statement has `VALUES (?1, …)` with its parameters in order and nothing else; `types` has a letter each:
    /// `i`nteger, `b`lob, `t`ext. No two rows may meet at one conflict.
    borrowing func insert(_ sql: SQL, types: String, rows: [[Value]]) throws {
        switch backend {
        case .sqlite(let connection): for row in rows { try connection.pointee.execute(sql, row) }
        case .postgres(let connection):
            let text = PostgresDialect.setStatement(sql, types: types)
            var next = 0
            while next < rows.count {
                let part = rows[next..<min(next + Limits.Files.setRowCountMax, rows.count)]
                let columns = types.enumerated().map { index, type in
                    PostgresDialect.column(type, part.map { $0[index] })
                }
                try connection.pointee.execute(text, columns)
                next += part.count
            }
        }
    }

    /// Runs a statement that gives rows, with arrays as its parameters: PostgreSQL only.
    borrowing func query(
        sets sql: String,
        _ values: [PostgresValue],
        _ row: (PostgresRow) throws -> Void
    ) throws {
        guard case .postgres(let connection) = backend else { preconditionFailure("SQLite knows no arrays") }
        for found in try connection.pointee.query(sql, values) { try row(found) }
    }

    /// The one number that an `INSERT … RETURNING` gives.
    borrowing func insert(_ sql: SQL, _ bindings: [Value]) throws -> Int64 {
        guard let number = try first(sql, bindings, { try $0.int64(0) }) else { throw RecordError(record: "number") }
        return number
    }

    /// What somebody remembers of this tree is no longer to be believed.
    borrowing func willChange(_ tree: TreeNumber) { writing?.note(tree) }

    var isPostgres: Bool {
        if case .postgres = backend { true } else { false }
    }
}
