import DaleksPostgres
import DaleksSQLite

/// One statement on PostgreSQL as the tables use statements: bound by position, asked at the first step, its rows held.
///
/// ## Concurrency
/// One thread: the closure that got it.
final class PostgresCursor {
    private let sql: SQL
    private let connection: UnsafePointer<PostgresConnection>
    private var values: [PostgresValue] = []
    private var rows: PostgresRows?
    private var next = 0

    init(_ sql: SQL, on connection: UnsafePointer<PostgresConnection>) {
        self.sql = sql
        self.connection = connection
    }

    func bind(_ value: PostgresValue, at position: Int) {
        while values.count < position { values.append(.null) }
        values[position - 1] = value
    }

    func step() throws -> Bool {
        let rows = try self.rows ?? connection.pointee.query(PostgresDialect.statement(sql), values)
        self.rows = rows
        guard next < rows.count else { return false }
        next += 1
        return true
    }

    func run() throws -> Int {
        defer { values.removeAll(keepingCapacity: true) }
        return try connection.pointee.execute(PostgresDialect.statement(sql), values)
    }

    /// The one that it stands on.
    func row() throws -> PostgresRow {
        guard let rows, next > 0 else { preconditionFailure("a column was read before the first step") }
        return rows[next - 1]
    }
}
