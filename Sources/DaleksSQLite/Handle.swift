import CSQLite
import DaleksCore
import DaleksSystem

/// One SQLite connection, its compiled statements, and the scope it is in.
///
/// ## Concurrency
/// One thread at a time: whoever has the writer's turn, or took the handle out of the pool, or is the checkpoint
/// thread. SQLite is opened without mutexes of its own. Only `interrupt` may come from any thread, while the handle is
/// open. Unchecked for that reason: every field but `raw` is touched only by the one thread that has the handle.
final class Handle: @unchecked Sendable {
    /// What the closure that has this handle may do.
    enum Scope {
        case none, reading, writing
    }

    let raw: OpaquePointer
    private var statements = StatementCache()
    private(set) var scope = Scope.none
    private var isClosed = false
    private let notes: UnsafeMutablePointer<Callbacks.Notes>
    /// Takes down what transactions change, where they are grouped.
    var recorder: Recorder?
    private var isRecording = true
    /// Who hears which rows were changed, if anybody does.
    private(set) var watch: RowWatch?

    init(path: String, flags: Int32, configuration: DatabaseConfiguration) throws(SQLiteError) {
        _ = Self.isConfigured
        var opened: OpaquePointer?
        // A path that starts with "file:" would be read as a URI.
        let name = path.hasPrefix("file:") ? "./" + path : path
        let result = sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard result == SQLITE_OK, let opened else {
            let error = SQLiteError(result: result, on: opened, .preparing, doing: "cannot open \(path)")
            sqlite3_close_v2(opened)
            throw error
        }
        raw = opened
        notes = .allocate(capacity: 1)
        notes.initialize(to: Callbacks.Notes())
        // `deinit` closes the connection before it frees the notes.
        Callbacks.install(on: raw, notes: notes)
        sqlite3_busy_timeout(raw, Int32(clamping: configuration.busyTimeout.milliseconds))
        sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, Limits.SQLite.valueBytesMax)
        setOptions()
    }

    deinit {
        close()
        notes.deallocate()
    }

    /// The last connection to a file copies the log into the database and removes it, unless `isLogKept`.
    func close(isLogKept: Bool = false) {
        guard !isClosed else { return }
        isClosed = true
        statements.removeAll()
        if isLogKept { _ = daleks_sqlite_set_option(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1) }
        // With every statement finalized this cannot be refused; the "v2" form would even then not leak.
        sqlite3_close_v2(raw)
    }

    private static let isConfigured: Bool = {
        // Refused where another library of this process has used SQLite before; then only a little speed is lost.
        _ = daleks_sqlite_without_memory_statistics()
        return true
    }()

    func install(_ watch: RowWatch) {
        watch.install(on: raw)
        self.watch = watch
    }

    private func setOptions() {
        let options: [(option: Int32, isOn: Int32)] = [
            // No statement can damage the file: the schema table and the log's format are out of reach.
            (SQLITE_DBCONFIG_DEFENSIVE, 1),
            // A schema from a tampered file cannot call functions with side effects.
            (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            // A misspelt column in double quotes is an error and not a text.
            (SQLITE_DBCONFIG_DQS_DML, 0),
            (SQLITE_DBCONFIG_DQS_DDL, 0),
            (SQLITE_DBCONFIG_ENABLE_FKEY, 1),
        ]
        for (option, isOn) in options { _ = daleks_sqlite_set_option(raw, option, isOn) }
    }

    /// The settings of a connection that need no access to the file.
    func configure(_ configuration: DatabaseConfiguration) throws(SQLiteError) {
        // NORMAL: a commit is written to the log and not synchronised; `CommitLog` does that for whoever asks.
        try script("PRAGMA synchronous = NORMAL")
        // Before a new file's first page is written; nothing happens to a file that is there.
        try script("PRAGMA page_size = \(configuration.pageBytes)")
        try script("PRAGMA cache_size = -\(configuration.cacheBytes / 1_024)")
        try script("PRAGMA temp_store = MEMORY")
        // Debian builds with "on", which writes deleted pages full of zeros; "fast" zeroes what is written anyway.
        try script("PRAGMA secure_delete = FAST")
        // A damaged page is noticed when it is read and not when it is used.
        try script("PRAGMA cell_size_check = ON")
    }

    /// True where every change so far in this scope would be undone by a rollback.
    var isInTransaction: Bool { sqlite3_get_autocommit(raw) == 0 }

    var changes: Int { Int(sqlite3_changes64(raw)) }
    var lastInsertRowID: Int64 { sqlite3_last_insert_rowid(raw) }
    var isReadOnly: Bool { sqlite3_db_readonly(raw, "main") == 1 }
    var logFrameCount: Int { Int(notes.pointee.logFrameCount) }

    /// May come from any thread.
    func interrupt() { sqlite3_interrupt(raw) }

    /// Why a statement may not run now. SQLite ends a transaction by itself after some errors (full, I/O, interrupted);
    /// a closure that swallowed such an error must not go on outside of any transaction.
    func refusal(of statement: PreparedStatement) -> SQLiteError? {
        switch scope {
        case .none: return nil
        case .reading:
            guard !statement.isReadOnly else { return nil }
            return SQLiteError(.readOnly, "a read was asked to write", sql: statement.sql.text)
        case .writing:
            guard !isInTransaction else { return nil }
            return SQLiteError(.interrupted, "the transaction was rolled back before", sql: statement.sql.text)
        }
    }

    var cachedStatementCount: Int { statements.count }

    func take(_ sql: SQL) throws(SQLiteError) -> PreparedStatement {
        let statement = try statements.take(sql, on: raw)
        statement.isRecorded = isRecording && recorder != nil && !statement.isReadOnly
        return statement
    }

    /// What the closure changes is taken down by nobody.
    @discardableResult
    func unrecorded<Result>(_ body: () throws -> Result) rethrows -> Result {
        isRecording = false
        defer { isRecording = true }
        return try body()
    }

    func giveBack(_ statement: PreparedStatement) { statements.giveBack(statement) }

    /// The one number that a statement of the adapter gives.
    func number(_ sql: SQL) throws -> Int64 {
        guard let number = try Connection(self).first(sql, [], { try $0.int64(0) }) else {
            throw SQLiteError(.misuse, "the statement gave no row", sql: sql.text)
        }
        return number
    }

    /// Runs every statement of a text that the adapter or a migration brings; rows are passed over.
    func script(_ text: String) throws(SQLiteError) {
        let result = sqlite3_exec(raw, text, nil, nil, nil)
        guard result == SQLITE_OK else {
            throw SQLiteError(result: result, on: raw, .preparing, sql: SQL(text))
        }
    }
}

extension Handle {
    /// Runs the closure between a beginning and a commit; whatever it throws rolls back.
    func transaction<Result>(_ scope: Scope, _ body: () throws -> Result) throws -> Result {
        try begin(scope)
        let result: Result
        do {
            result = try body()
        } catch {
            rollBack()
            throw error
        }
        try commit()
        return result
    }

    /// True when the last commit wrote something.
    func takeHasWritten() -> Bool {
        defer { notes.pointee.hasWritten = false }
        return notes.pointee.hasWritten
    }

    private func begin(_ scope: Scope) throws(SQLiteError) {
        try control(scope == .writing ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED")
        self.scope = scope
    }

    private func commit() throws(SQLiteError) {
        guard isInTransaction else {
            scope = .none
            throw SQLiteError(.interrupted, "the transaction was rolled back before it ended")
        }
        do throws(SQLiteError) {
            try control("COMMIT")
            scope = .none
        } catch {
            rollBack()
            throw error
        }
    }

    /// Cannot fail in a way that keeps changes: what SQLite could not undo now it undoes when the connection closes or
    /// the log is read again, since no commit was written. The next `begin` reports a transaction that is still open.
    private func rollBack() {
        scope = .none
        watch?.forget()
        guard isInTransaction else { return }
        do throws(SQLiteError) { try control("ROLLBACK") } catch {}
    }

    /// A part of a transaction that can fail alone.
    func savepoint<Result>(_ body: () throws -> Result) throws -> Result {
        // Outside of a transaction a savepoint would begin one, and releasing it would commit.
        guard isInTransaction else { throw SQLiteError(.interrupted, "the transaction was rolled back before") }
        try control("SAVEPOINT part")
        let mark = recorder?.mark
        let result: Result
        do {
            result = try body()
        } catch {
            if let mark { recorder?.cut(to: mark) }
            // Where SQLite rolled the whole transaction back there is no savepoint left to return to.
            if isInTransaction {
                try control("ROLLBACK TO part")
                try control("RELEASE part")
            }
            throw error
        }
        try control("RELEASE part")
        return result
    }

    // MARK: Groups

    func beginGroup() throws(SQLiteError) { try control("BEGIN IMMEDIATE") }
    func commitGroup() throws(SQLiteError) { try control("COMMIT") }

    /// Everything since `beginGroup` is undone.
    func abandonGroup() { rollBack() }

    /// Runs the closure as a part of the group; `keeping` runs once it has returned. Whatever either throws undoes the
    /// part. The group stays, unless SQLite had to roll it back.
    func part<Result>(_ body: () throws -> Result, keeping: () throws -> Void) throws -> Result {
        try control("SAVEPOINT act")
        scope = .writing
        defer { scope = .none }
        do {
            let result = try body()
            // SQLite may have rolled everything back and the closure kept that to itself.
            guard isInTransaction else {
                throw SQLiteError(.interrupted, "the transaction was rolled back before it ended")
            }
            try keeping()
            try control("RELEASE act")
            return result
        } catch {
            watch?.forget()
            if isInTransaction {
                try control("ROLLBACK TO act")
                try control("RELEASE act")
            }
            throw error
        }
    }

    /// Runs the closure on what the group has so far.
    func look<Result>(_ body: () throws -> Result) throws -> Result {
        scope = .reading
        defer { scope = .none }
        return try body()
    }

    /// Statements that begin, end and nest transactions: allowed to the adapter only.
    private func control(_ sql: SQL) throws(SQLiteError) {
        notes.pointee.mayControlTransactions = true
        defer { notes.pointee.mayControlTransactions = false }
        let statement = try take(sql)
        defer { giveBack(statement) }
        let result = sqlite3_step(statement.raw)
        guard result == SQLITE_DONE else { throw SQLiteError(result: result, on: raw, .running, sql: sql) }
    }
}
