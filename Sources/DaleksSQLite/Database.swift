import CSQLite
import DaleksCore
public import DaleksSystem

/// One SQLite database: a writer, some readers, and what makes commits durable.
///
/// ## Concurrency
/// Any thread may call anything; every call may block, so none belongs on a thread that must not wait. Order of what is
/// held: the writer's turn, then a reader, then the inner locks (log, checkpointer), held for arithmetic only.
/// A `read` inside a `write` is allowed and sees the state before that write (not in memory, where both share one
/// connection); a `read` inside a `read` takes a second reader; a `write` inside a `write` is a mistake.
public final class Database: Sendable {
    public let path: String
    private let writer: Handle
    private let turn: WriterTurn
    private let log: CommitLog
    private let logger: Logger
    private let configuration: DatabaseConfiguration
    /// Nil in memory, where the writer also reads and there is no log.
    private let readers: ReaderPool?
    private let checkpointer: Checkpointer?
    /// Nil where each transaction is a commit.
    private let group: CommitGroup?
    /// Held while connections are interrupted, so that none is closed meanwhile.
    private let isClosed = Lock(false)

    private init(path: String, parts: Parts, configuration: DatabaseConfiguration, logger: Logger) {
        self.path = path
        self.configuration = configuration
        self.logger = logger
        writer = parts.writer
        turn = parts.turn
        log = parts.log
        readers = parts.readers
        checkpointer = parts.checkpointer
        group = parts.group
        group?.start()
        checkpointer?.start()
    }

    deinit { close() }

    /// Opens the database at a path, makes it where nothing is, and brings it to the shape of the last migration.
    ///
    /// Anything that is not this program's intact database is refused and left as it is. `":memory:"` is a database
    /// that nothing outlives, on one connection.
    public static func open(
        path: String,
        configuration: DatabaseConfiguration,
        migrations: [Migration],
        logger: Logger = .silent
    ) throws(SQLiteError) -> Database {
        let logger = logger.with(["database": path])
        let opening = Opening(path: path, configuration: configuration, migrations: migrations, logger: logger)
        do {
            return Database(path: path, parts: try opening.run(), configuration: configuration, logger: logger)
        } catch let error as SQLiteError {
            throw error
        } catch {
            throw SQLiteError(.other, "cannot open \(path): \(error)")
        }
    }

    /// Runs the closure on a snapshot: it sees what was committed when its first statement ran, and nothing later.
    public func read<Result>(_ body: (borrowing Connection) throws -> Result) throws -> Result {
        guard let readers else { return try readInMemory(body) }
        if let group, group.mayBeOpen, let result = try readOpen(group, body) { return result }
        return try read(from: readers, body)
    }

    /// As `read`, for what takes long: an open group is committed first, and the writer is free meanwhile.
    public func readLong<Result>(_ body: (borrowing Connection) throws -> Result) throws -> Result {
        guard let readers else { return try readInMemory(body) }
        try endGroup()
        return try read(from: readers, body)
    }

    private func read<Result>(
        from readers: ReaderPool,
        _ body: (borrowing Connection) throws -> Result
    ) throws -> Result {
        let reader = try readers.take()
        defer { readers.giveBack(reader) }
        return try reader.transaction(.reading) { try body(Connection(reader)) }
    }

    /// Through the writer, who alone has what the open group did; nil where the group ended meanwhile.
    private func readOpen<Result>(
        _ group: CommitGroup,
        _ body: (borrowing Connection) throws -> Result
    ) throws -> Result? {
        guard !turn.isMine else { throw SQLiteError(.misuse, "a read inside a read or write of a grouped database") }
        try turn.take()
        defer { turn.release() }
        return try group.readIfOpen(body)
    }

    /// Everything answered so far is in SQLite's log when this returns.
    private func endGroup() throws(SQLiteError) {
        guard let group, group.mayBeOpen else { return }
        try turn.take()
        defer { turn.release() }
        try group.commit()
    }

    private func readInMemory<Result>(_ body: (borrowing Connection) throws -> Result) throws -> Result {
        try turn.take()
        defer { turn.release() }
        return try writer.transaction(.reading) { try body(Connection(writer)) }
    }

    /// Runs the closure in a transaction. What it throws rolls everything back; when it returns, everything is
    /// committed and survives what `durability` says.
    ///
    /// An `.ioError` from `.full` whose message speaks of the log means: committed and seen by readers, but a power cut
    /// may take it back. The database then refuses all further writes, since nothing can be promised any more.
    @discardableResult
    public func write<Result>(
        _ durability: Durability = .normal,
        _ body: (borrowing Connection) throws -> Result
    ) throws -> Result {
        try writeReturningPosition(durability, body).result
    }

    /// As `write`, with the position of its commit. A closure that changed nothing gets the last commit's position.
    public func writeReturningPosition<Result>(
        _ durability: Durability = .normal,
        _ body: (borrowing Connection) throws -> Result
    ) throws -> (result: Result, position: LogPosition) {
        let outcome = try commit(body)
        if durability == .full { try flush(upTo: outcome.position) }
        return outcome
    }

    private func commit<Result>(
        _ body: (borrowing Connection) throws -> Result
    ) throws -> (result: Result, position: LogPosition) {
        try turn.take()
        defer { turn.release() }
        if let group { return try group.write(body) }
        if let failure = log.failure { throw failure }
        let result: Result
        do {
            result = try writer.transaction(.writing) { try body(Connection(writer)) }
        } catch let error as SQLiteError {
            if error.isFailedBarrier { log.recordFailure(error) }
            throw error
        }
        guard writer.takeHasWritten() else { return (result, log.committed) }
        // Before anybody can write again, and before the caller goes on.
        writer.watch?.tellCommitted()
        checkpointer?.noteLog(frameCount: writer.logFrameCount)
        return (result, log.recordCommit())
    }

    /// Tells after each commit, before the next can begin, which rows of a table it changed, by their rowids: what was
    /// read of them before must not be believed any more. One watch at a time; `committed` does arithmetic only.
    ///
    /// SQLite does not tell of tables without rowids, nor of rows that REPLACE or a DELETE without WHERE took away.
    /// `undone` comes where a transaction was rolled back, before the next can begin, and perhaps more than once.
    public func watch(
        table: String,
        committed: @escaping @Sendable ([Int64]) -> Void,
        undone: @escaping @Sendable () -> Void = {}
    ) throws {
        try turn.take()
        defer { turn.release() }
        writer.install(RowWatch(table: table, committed: committed, undone: undone))
    }

    /// The last commit. A caller that asks right after its own commit may be told of a later one, which is as good:
    /// what is durable includes all before it.
    public var position: LogPosition { log.committed }

    /// True when a power cut would not take back the commit at this position, nor any before it.
    public func isDurable(_ position: LogPosition) -> Bool { position <= log.durable }

    /// Makes everything committed so far durable. Costs nothing where it already is.
    public func flush() throws(SQLiteError) { try flush(upTo: log.committed) }

    /// Makes the commit at this position, and all before it, durable.
    public func flush(upTo position: LogPosition) throws(SQLiteError) {
        if !log.isWritten(position) { try endGroup() }
        try log.flush(upTo: position)
    }

    /// Copies the log into the database now, on the checkpoint thread, and waits for that. It also happens by itself.
    public func checkpoint() throws(SQLiteError) { try checkpointer?.run() }

    /// Ends whatever statement runs in any connection now: it throws `.interrupted`, its transaction is rolled back.
    public func interrupt() {
        isClosed.withLock { isClosed in
            guard !isClosed else { return }
            writer.interrupt()
            readers?.interrupt()
        }
    }

    /// What is wrong with the file: empty when nothing was found. Reads every page. `thorough` also compares indexes
    /// with their tables, and rows with their foreign keys.
    public func verify(thorough: Bool = false) throws -> [String] {
        do {
            return try readLong { try Verification(thorough: thorough).problems($0) }
        } catch let error as SQLiteError where error.code == .corrupt || error.code == .notADatabase {
            return [error.message]
        }
    }

    /// Writes a consistent copy, durable when this returns, to a path where nothing is. Readers and writers go on.
    public func backup(to destination: String) throws {
        let backup = Backup(destination: destination, configuration: configuration)
        guard readers != nil else {
            try turn.take()
            defer { turn.release() }
            return try backup.run(from: writer)
        }
        try endGroup()
        let source = try Handle(path: path, flags: SQLITE_OPEN_READONLY, configuration: configuration)
        try backup.run(from: source)
    }

    /// Commits, barriers and checkpoints since opening.
    public var statistics: Statistics {
        Statistics(
            commitCount: log.committed.commitCount,
            barrierCount: log.barrierCount,
            checkpointCount: checkpointer?.checkpointCount ?? 0
        )
    }

    public struct Statistics: Sendable {
        public let commitCount: UInt64
        public let barrierCount: UInt64
        public let checkpointCount: UInt64
    }

    /// Waits for what runs, makes everything durable and closes the file. Whatever is called after throws `.closed`.
    public func close() {
        guard turn.close() else { return }
        do throws(SQLiteError) { try group?.close() } catch {
            logger.error("the last group could not be committed; the next opening does it", ["error": error])
        }
        readers?.close()
        checkpointer?.close()
        do throws(SQLiteError) { try log.flush(upTo: log.written) } catch {
            logger.error("the last commits may not be durable", ["error": error])
        }
        isClosed.withLock { $0 = true }
        // A log whose barrier failed is not copied into the database: it is what the next opening has to judge.
        let isLogKept = log.failure != nil
        checkpointer?.closeHandle(isLogKept: isLogKept)
        readers?.closeHandles(isLogKept: isLogKept)
        writer.close(isLogKept: isLogKept)
    }
}
