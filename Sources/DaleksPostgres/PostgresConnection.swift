import DaleksCore

/// What a body may do with the connection that it was lent. It cannot be kept: the pool takes it back.
///
/// Calls block until the server answers: they belong on worker threads, never on an event thread or in a task.
public struct PostgresConnection: ~Copyable {
    private let session: Session

    init(_ session: Session) { self.session = session }

    /// Runs one statement, prepared at its first use, and returns its rows. They are held in memory: a statement that
    /// may find more than some thousands has a LIMIT or goes through `forEachRow`.
    public func query(_ sql: String, _ values: [PostgresValue] = []) throws(PostgresError) -> PostgresRows {
        try session.run([PostgresStatement(sql, values)])[0]
    }

    /// Runs one statement and returns how many rows it changed.
    @discardableResult
    public func execute(_ sql: String, _ values: [PostgresValue] = []) throws(PostgresError) -> Int {
        try query(sql, values).changedCount
    }

    /// Sends several statements at once and returns their answers: one round trip for all. The first that fails fails
    /// all of them.
    public func batch(_ statements: [PostgresStatement]) throws(PostgresError) -> [PostgresRows] {
        guard statements.count <= Limits.Postgres.batchCountMax else {
            throw PostgresError(.tooLarge, "the batch has \(statements.count) statements")
        }
        return statements.isEmpty ? [] : try session.run(statements)
    }

    /// Hands rows over one by one as they come, holding none of them. A body that throws cancels the statement, and
    /// the transaction around it can only be rolled back.
    public func forEachRow(
        _ sql: String,
        _ values: [PostgresValue] = [],
        _ body: (PostgresRow) throws -> Void
    ) throws {
        var refusal: (any Error)?
        do throws(PostgresError) {
            // The session drops the closure before it returns; being optional there, it counts as escaping.
            try withoutActuallyEscaping(body) { body throws(PostgresError) in
                _ = try session.run([PostgresStatement(sql, values)]) { row in
                    do {
                        try body(row)
                        return true
                    } catch {
                        refusal = error
                        return false
                    }
                }
            }
        } catch {
            // That the statement was canceled is our own doing.
            throw refusal ?? error
        }
        if let refusal { throw refusal }
    }

    /// Tells everybody who listens on the channel, once the transaction has committed.
    public func notify(_ channel: String, _ payload: String = "") throws(PostgresError) {
        guard payload.utf8.count <= Limits.Postgres.payloadBytesMax else {
            throw PostgresError(.tooLarge, "a notification's payload has \(payload.utf8.count) bytes")
        }
        _ = try query("SELECT pg_notify($1, $2)", [.text(channel), .text(payload)])
    }

    /// The server's process for this connection, as its logs and `pg_stat_activity` name it.
    public var serverProcessID: Int32 { session.serverProcessID }
}
