import DaleksPostgres
import DaleksSQLite

/// The database inside one transaction, SQLite's or PostgreSQL's: the same statements, values and rows for both.
///
/// Statements are written in the part of SQL that both understand, with SQLite's names for types and parameters (`?1`);
/// `Dialect` turns them into PostgreSQL's. What this module says of storage it says through this type, which stands in
/// front of SQLite's own of the same name.
struct Connection: ~Copyable {
    /// Both adapters lend their connection for the time of a closure and forbid to keep it. This value is made in that
    /// closure and cannot leave it either, so the address stays good.
    private enum Lent {
        case sqlite(UnsafePointer<DaleksSQLite.Connection>)
        case postgres(UnsafePointer<PostgresConnection>)
    }

    private let lent: Lent

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of this value.
    deinit {}

    private init(_ lent: Lent) { self.lent = lent }

    static func lending<Result>(
        _ connection: borrowing DaleksSQLite.Connection,
        _ body: (borrowing Connection) throws -> Result
    ) throws -> Result {
        try withUnsafePointer(to: connection) { try body(Connection(.sqlite($0))) }
    }

    static func lending<Result>(
        _ connection: borrowing PostgresConnection,
        _ body: (borrowing Connection) throws -> Result
    ) throws -> Result {
        try withUnsafePointer(to: connection) { try body(Connection(.postgres($0))) }
    }

    /// Runs a statement that gives no rows; the count of changed rows.
    @discardableResult
    borrowing func execute(_ sql: SQL, _ bindings: [Value] = []) throws -> Int {
        switch lent {
        case .sqlite(let connection): try connection.pointee.execute(sql, bindings)
        case .postgres(let connection):
            try connection.pointee.execute(Dialect.postgres(statement: sql.text), bindings.map(\.forPostgres))
        }
    }

    /// All rows, each turned into a value by the closure. Also for statements that change rows and give them back.
    borrowing func query<Element>(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ row: (borrowing Row) throws -> Element
    ) throws -> [Element] {
        switch lent {
        case .sqlite(let connection):
            return try connection.pointee.query(sql, bindings) { try row(Row($0)) }
        case .postgres(let connection):
            let rows = try connection.pointee.query(
                Dialect.postgres(statement: sql.text),
                bindings.map(\.forPostgres)
            )
            return try rows.map { try row(Row($0)) }
        }
    }

    /// The first row, nil where there is none.
    borrowing func first<Element>(
        _ sql: SQL,
        _ bindings: [Value] = [],
        _ row: (borrowing Row) throws -> Element
    ) throws -> Element? {
        switch lent {
        case .sqlite(let connection):
            return try connection.pointee.first(sql, bindings) { try row(Row($0)) }
        case .postgres: return try query(sql, bindings, row).first
        }
    }

    /// True when there is a row.
    borrowing func exists(_ sql: SQL, _ bindings: [Value] = []) throws -> Bool {
        switch lent {
        case .sqlite(let connection): try connection.pointee.exists(sql, bindings)
        case .postgres: try !query(sql, bindings) { _ in }.isEmpty
        }
    }
}
