import CSQLite
import DaleksCore
import DaleksSystem
import Glibc

/// What a `Database` is put together from.
struct Parts {
    let writer: Handle
    let turn: WriterTurn
    let log: CommitLog
    let group: CommitGroup?
    let readers: ReaderPool?
    let checkpointer: Checkpointer?
}

/// The steps from a path to an open database, in the order that keeps foreign files untouched.
struct Opening {
    let path: String
    let configuration: DatabaseConfiguration
    let migrations: [Migration]
    let logger: Logger

    func run() throws -> Parts { path == ":memory:" ? try openInMemory() : try openFile() }

    private func openInMemory() throws -> Parts {
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let writer = try Handle(path: path, flags: flags, configuration: configuration)
        try writer.configure(configuration)
        // For its backups, which are files.
        try writer.script("PRAGMA application_id = \(configuration.applicationID)")
        try migrate(writer)
        let turn = WriterTurn(timeout: configuration.busyTimeout)
        return Parts(
            writer: writer,
            turn: turn,
            log: CommitLog(inMemory: ()),
            group: nil,
            readers: nil,
            checkpointer: nil
        )
    }

    private func openFile() throws -> Parts {
        try DatabaseFile.checkPath(path)
        let isMade = try DatabaseFile.create(path)
        // Without the right to create: a link that leads nowhere must not make a file there.
        let writer = try Handle(path: path, flags: SQLITE_OPEN_READWRITE, configuration: configuration)
        try identify(writer)
        try useLog(writer)
        let log = try CommitLog(path: try logPath(of: writer))
        // By the shape that it was done in.
        try describingDamage { try redo(on: writer) }
        try migrate(writer)
        if isMade { logger.info("database created") }
        return try assemble(writer, log)
    }

    /// Refuses what is not ours, and signs what is new.
    private func identify(_ writer: Handle) throws {
        let file = DatabaseFile(path: path, applicationID: configuration.applicationID)
        try file.examine(writer)
        try describingDamage { try writer.configure(configuration) }
        guard try describingDamage({ try file.confirm(writer) }) == .new else { return }
        try writer.transaction(.writing) {
            // Another process may have signed it since.
            guard try file.confirm(writer) == .new else { return }
            try writer.script("PRAGMA application_id = \(configuration.applicationID)")
        }
    }

    /// WAL lasts: a file that is in it already stays so. Changing over needs the file alone for a moment, and SQLite
    /// does not wait for that by itself.
    private func useLog(_ writer: Handle) throws {
        let deadline = TimeSource.system.now + configuration.busyTimeout
        while true {
            do {
                let mode = try Connection(writer).first("PRAGMA journal_mode = WAL") { try $0.text(0) }
                guard mode == "wal" else {
                    throw SQLiteError(.cannotOpen, "\(path) is on a file system where SQLite cannot share memory")
                }
                break
            } catch let error as SQLiteError where error.code == .busy && TimeSource.system.now < deadline {
                usleep(5_000)
            }
        }
        // Opens the log, and replays what a crash left in it.
        _ = try describingDamage { try writer.number("SELECT count(*) FROM sqlite_schema") }
    }

    private func describingDamage<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as SQLiteError where error.code == .corrupt || error.code == .notADatabase {
            let message = "\(path) is damaged (\(error.message)). Restore it from a backup."
            throw SQLiteError(.corrupt, message, extendedCode: error.extendedCode)
        }
    }

    private func logPath(of writer: Handle) throws(SQLiteError) -> String {
        guard let path = daleks_sqlite_log_path(writer.raw) else {
            throw SQLiteError(.cannotOpen, "\(path) has no log")
        }
        return String(cString: path)
    }

    private func migrate(_ writer: Handle) throws {
        for migration in try describingDamage({ try Migrator(migrations).run(on: writer) }) {
            logger.info("migrated", ["number": migration.number, "name": migration.name])
        }
        _ = writer.takeHasWritten()
    }

    private func assemble(_ writer: Handle, _ log: CommitLog) throws -> Parts {
        var readers: [Handle] = []
        for _ in 0..<configuration.readerCount { readers.append(try connect(SQLITE_OPEN_READONLY)) }
        let turn = WriterTurn(timeout: configuration.busyTimeout)
        let group = try makeGroup(writer, turn, log)
        let checkpointer = Checkpointer(
            handle: try connect(SQLITE_OPEN_READWRITE),
            turn: turn,
            log: log,
            configuration: configuration,
            logger: logger
        ) { () throws(SQLiteError) in try group?.commit() }
        checkpointer.noteLog(frameCount: writer.logFrameCount)
        group?.committed = { frameCount in checkpointer.noteLog(frameCount: frameCount) }
        // Migrations count as commits of before: they are durable before anybody builds on them.
        _ = log.recordCommit()
        try log.flush(upTo: log.committed)
        let pool = ReaderPool(readers, timeout: configuration.busyTimeout)
        return Parts(
            writer: writer,
            turn: turn,
            log: log,
            group: group,
            readers: pool,
            checkpointer: checkpointer
        )
    }

    private func connect(_ flags: Int32) throws -> Handle {
        let handle = try Handle(path: path, flags: flags, configuration: configuration)
        try handle.configure(configuration)
        return handle
    }
}
