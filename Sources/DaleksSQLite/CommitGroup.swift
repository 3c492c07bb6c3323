import DaleksCore
import DaleksSystem
import Synchronization

/// Many small transactions as one commit of SQLite's.
///
/// A commit writes every page that it touched, whole, with two system calls each: for a transaction of a few rows that
/// is most of its price, and the next one touches nearly the same pages. So the writer's transaction stays open for
/// some milliseconds, each caller's part of it is a savepoint, and what it did is written into `RedoLog` before the
/// caller goes on. Who reads meanwhile reads through the writer, who has it. A group ends after a while, when it is
/// long, and before anything that needs SQLite's log to be whole: a barrier, a checkpoint, a backup, a long read.
///
/// ## Concurrency
/// Everything but `mayBeOpen` and `pace` belongs to whoever has the writer's turn; unchecked for that reason. A thread
/// of its own ends groups that are old enough.
final class CommitGroup: @unchecked Sendable {
    private let writer: Handle
    private let turn: WriterTurn
    private let log: CommitLog
    private let redo: RedoLog
    private let recorder = Recorder()
    private let logger: Logger
    private let interval: Duration
    private var group: RedoLog.Group
    private var isOpen = false
    /// At this length of the log the group is long enough.
    private var redoBytesWanted = Int64(Limits.SQLite.groupBytesMax)
    /// Told how long SQLite's log is after each commit; set once, before anybody else has this.
    var committed: (_ frameCount: Int) -> Void = { _ in }
    /// Whether a group is open, for those who have not the turn: true from before the first answer of a group.
    private let openFlag = Atomic<Bool>(false)

    private struct Pace {
        var isOpen = false
        var isClosing = false
    }
    private let pace = Condition(Pace())
    private let ended = Gate()

    init(
        writer: Handle,
        turn: WriterTurn,
        log: CommitLog,
        redo: RedoLog,
        group: RedoLog.Group,
        interval: Duration,
        logger: Logger
    ) {
        self.writer = writer
        self.turn = turn
        self.log = log
        self.redo = redo
        self.group = group
        self.interval = interval
        self.logger = logger
        writer.recorder = recorder
    }

    /// Whether what was answered may not be in SQLite's log yet.
    var mayBeOpen: Bool { openFlag.load(ordering: .sequentiallyConsistent) }

    // MARK: In the writer's turn

    /// One transaction as a part of the group. What it throws undoes this part only.
    func write<Result>(
        _ body: (borrowing Connection) throws -> Result
    ) throws -> (result: Result, position: LogPosition) {
        if let failure = log.failure { throw failure }
        if !isOpen { try open() }
        recorder.beginRecord()
        let start = recorder.mark
        let result: Result
        do {
            result = try writer.part {
                try body(Connection(writer))
            } keeping: {
                if !recorder.isEmpty { try redo.append(recorder) }
            }
        } catch {
            recorder.cut(to: start)
            // SQLite rolls the whole transaction back after some errors, and with it what was answered before.
            if !writer.isInTransaction { try? rebuild() }
            throw error
        }
        guard !recorder.isEmpty else { return (result, log.committed) }
        recorder.endRecord()
        writer.watch?.tellCommitted()
        let position = log.recordCommit(isWritten: false)
        if redo.recordCount.isMultiple(of: Limits.SQLite.groupRecordsMax) || redo.byteCount >= redoBytesWanted {
            redoBytesWanted = redo.byteCount + Int64(Limits.SQLite.groupBytesMax)
            // It is answered whether or not this works, which is tried again.
            try? commit()
        }
        return (result, position)
    }

    /// Nil where no group is open: then the readers have everything.
    func readIfOpen<Result>(_ body: (borrowing Connection) throws -> Result) throws -> Result? {
        guard isOpen else { return nil }
        if let failure = log.failure { throw failure }
        return try writer.look { try body(Connection(writer)) }
    }

    private func open() throws {
        recorder.beginGroup()
        redo.begin(group)
        redoBytesWanted = Int64(Limits.SQLite.groupBytesMax)
        try writer.beginGroup()
        isOpen = true
        openFlag.store(true, ordering: .sequentiallyConsistent)
        pace.withLock { $0.isOpen = true }
        pace.signal()
    }

    /// Ends the group, if one is open: everything answered is in SQLite's log then.
    func commit() throws(SQLiteError) {
        guard isOpen else { return }
        if let failure = log.failure { throw failure }
        do {
            try RedoTable.note(group, on: writer)
            try writer.commitGroup()
        } catch {
            let failure = error as? SQLiteError ?? SQLiteError(.other, "\(error)")
            if failure.isFailedBarrier { log.recordFailure(failure) }
            try rebuild()
            throw failure
        }
        finish()
    }

    private func finish() {
        group.number += 1
        isOpen = false
        log.recordWritten()
        // In this order: who sees the flag down finds everything in the log.
        openFlag.store(false, ordering: .sequentiallyConsistent)
        pace.withLock { $0.isOpen = false }
        committed(writer.logFrameCount)
    }

    /// What was answered is done once more, in a new transaction. Where even that fails nothing can be promised any
    /// more before the database is opened again, which does it from the log.
    private func rebuild() throws(SQLiteError) {
        do {
            writer.abandonGroup()
            try writer.beginGroup()
            try Redoing.run(try redo.records(of: group), on: writer)
        } catch {
            let message = "what was done last could not be kept (\(error)); it is in the redo log"
            let failure = SQLiteError(.ioError, message)
            log.recordFailure(failure)
            logger.error("the database must be opened again", ["error": failure])
            throw failure
        }
        // Texts named in records that are there stay named; statements were compiled anew or not, both is right.
        writer.watch?.forget()
    }

    // MARK: The thread that ends groups

    func start() {
        _ = Thread(name: "commit") { [self] in
            work()
            ended.open()
        }
    }

    private func work() {
        while true {
            let isClosing = pace.wait { $0.isClosing ? true : $0.isOpen ? false : nil } ?? true
            if isClosing || pace.wait(timeout: interval, until: { $0.isClosing ? true : nil }) == true { return }
            do throws(SQLiteError) {
                try turn.take()
                defer { turn.release() }
                try commit()
            } catch {
                if error.code == .closed { return }
                logger.warning("a group could not be committed yet", ["error": error])
                if pace.wait(timeout: .seconds(1), until: { $0.isClosing ? true : nil }) == true { return }
            }
        }
    }

    /// Once nobody can have the turn any more but the caller.
    func close() throws(SQLiteError) {
        pace.withLock { $0.isClosing = true }
        pace.broadcast()
        ended.wait()
        // It has a reference to what has one to us.
        defer { committed = { _ in } }
        // A statement that is kept keeps the connection open.
        defer { recorder.beginRecord() }
        try commit()
    }
}
