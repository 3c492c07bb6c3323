import CPostgres
import DaleksSystem

/// What one statement answered, in memory.
///
/// ## Concurrency
/// Unchecked, since it is immutable: libpq lets any number of threads read a result that nobody changes, and `raw` is
/// freed in deinit only, when nobody reads any more.
public final class PostgresRows: RandomAccessCollection, @unchecked Sendable {
    private let raw: OpaquePointer
    public let count: Int
    let columnCount: Int
    /// For errors of whoever reads the rows.
    let sql: String?

    /// Takes over the result.
    init(owning raw: OpaquePointer, sql: String? = nil) {
        self.raw = raw
        self.sql = sql
        count = Int(PQntuples(raw))
        columnCount = Int(PQnfields(raw))
    }

    deinit { PQclear(raw) }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    public subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "the answer has \(count) rows")
        return PostgresRow(rows: self, index: position)
    }

    /// How many rows an INSERT, UPDATE, DELETE or MERGE changed, or a SELECT returned.
    public var changedCount: Int {
        guard let text = PQcmdTuples(raw) else { return 0 }
        return Int(String(cString: text)) ?? 0
    }

    /// What the server did, such as `COMMIT` or `INSERT 0 3`.
    var commandTag: String { PQcmdStatus(raw).map { String(cString: $0) } ?? "" }

    var status: ExecStatusType { PQresultStatus(raw) }

    func type(ofColumn column: Int) -> UInt32 { PQftype(raw, Int32(column)) }

    func isNull(row: Int, column: Int) -> Bool { PQgetisnull(raw, Int32(row), Int32(column)) != 0 }

    func bytes(row: Int, column: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: PQgetvalue(raw, Int32(row), Int32(column)),
            count: Int(PQgetlength(raw, Int32(row), Int32(column)))
        )
    }
}

extension PostgresRows {
    var sqlState: String? { daleks_pg_sqlstate(raw).map { String(cString: $0) } }

    /// Whether the server ends the session with this error.
    var isFatal: Bool {
        guard let severity = daleks_pg_severity(raw).map({ String(cString: $0) }) else { return false }
        return severity == "FATAL" || severity == "PANIC"
    }

    /// The error that this answer is, nil when it is none. An answer without SQLSTATE is libpq's own complaint.
    func error(sql: String?) -> PostgresError? {
        guard status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR else {
            return nil
        }
        guard let sqlState else {
            return PostgresError(.other, "the answer cannot be understood", sql: sql)
        }
        let message = daleks_pg_message(raw).map { String(cString: $0) } ?? ""
        return PostgresError(
            SQLState.code(sqlState),
            SQLState.safeMessage(sqlState, message),
            sqlState: sqlState,
            constraint: daleks_pg_constraint(raw).map { String(cString: $0) },
            sql: sql,
            outcome: SQLState.leavesOutcomeUnknown(sqlState) ? .unknown : .notApplied
        )
    }
}
