import CSQLite
import Glibc

/// Which rows of one table a transaction changed: SQLite tells each as it happens, a commit tells them all.
///
/// ## Concurrency
/// Belongs to the writer's handle, and so to whichever thread has that.
final class RowWatch {
    private let table: UnsafeMutablePointer<CChar>
    private let committed: @Sendable ([Int64]) -> Void
    private let undone: @Sendable () -> Void
    private var rows: [Int64] = []

    init(
        table: String,
        committed: @escaping @Sendable ([Int64]) -> Void,
        undone: @escaping @Sendable () -> Void = {}
    ) {
        guard let copy = strdup(table) else { preconditionFailure("no memory for the name of a table") }
        self.table = copy
        self.committed = committed
        self.undone = undone
    }

    deinit { free(table) }

    /// C borrows this object: whoever installs it keeps it as long as the connection, or until the next one.
    func install(on connection: OpaquePointer) {
        sqlite3_update_hook(
            connection,
            { context, _, _, table, row in Callbacks.changed(context, table, row) },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    func note(_ name: UnsafePointer<CChar>?, _ row: Int64) {
        guard let name, strcmp(name, table) == 0 else { return }
        rows.append(row)
    }

    /// After the commit, while nobody else can write.
    func tellCommitted() {
        guard !rows.isEmpty else { return }
        committed(rows)
        rows.removeAll(keepingCapacity: rows.count <= 1_024)
    }

    func forget() {
        rows.removeAll()
        undone()
    }
}
