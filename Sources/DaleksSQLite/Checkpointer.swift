import CSQLite
import DaleksCore
import DaleksSystem

/// Copies the log into the database on a thread of its own, so that no transaction waits for a checkpoint.
///
/// Most of the work needs nobody's turn: the bulk is copied while others write (PASSIVE) and the database synchronised.
/// What was written meanwhile is a small rest; it is copied in the writer's turn, since only when nobody appends can
/// the log be copied whole and begin again at its start. Without that it would grow for as long as somebody writes.
///
/// ## Concurrency
/// `state` is guarded by itself. `handle` is used by the checkpoint thread only.
final class Checkpointer: Sendable {
    private struct State {
        /// Frames in the log after the last commit, and how many of those the last checkpoint left there.
        var frameCount = 0
        var keptFrameCount = 0
        /// Set while a checkpoint that the log's length asked for is due or under way.
        var isRequested = false
        /// Checkpoints asked for by `run`, and how many of them are answered.
        var askedCount: UInt64 = 0
        var answeredCount: UInt64 = 0
        var isClosing = false
        var failure: SQLiteError?
        var checkpointCount: UInt64 = 0
    }

    private enum Job {
        case checkpoint(answering: UInt64, isForced: Bool)
        case end
    }

    private let handle: Handle
    private let turn: WriterTurn
    private let log: CommitLog
    private let logger: Logger
    private let configuration: DatabaseConfiguration
    /// Ends an open group, in the writer's turn: the log can be copied whole only when nobody is writing to it.
    private let settle: @Sendable () throws(SQLiteError) -> Void
    private let state = Condition(State())
    private let ended = Gate()

    init(
        handle: Handle,
        turn: WriterTurn,
        log: CommitLog,
        configuration: DatabaseConfiguration,
        logger: Logger,
        settle: @escaping @Sendable () throws(SQLiteError) -> Void
    ) {
        self.settle = settle
        self.handle = handle
        self.turn = turn
        self.log = log
        self.logger = logger
        self.configuration = configuration
        // What a checkpoint waits for in the writer's turn must be short: writers wait behind it.
        sqlite3_busy_timeout(handle.raw, Int32(clamping: Limits.SQLite.restartWait.milliseconds))
    }

    /// Starts the thread, which ends after `close`.
    func start() {
        _ = Thread(name: "checkpoint") { [self] in
            work()
            ended.open()
        }
    }

    var checkpointCount: UInt64 { state.withLock { $0.checkpointCount } }

    /// Told by the writer, in its turn, how long the log is after a commit. When it has grown by enough since the last
    /// checkpoint, another one follows soon; nobody waits for it.
    func noteLog(frameCount: Int) {
        let isNews = state.withLock { state in
            // The log began again.
            if frameCount < state.frameCount { state.keptFrameCount = 0 }
            state.frameCount = frameCount
            let grownBytes = Int64(frameCount - state.keptFrameCount) * Self.frameBytes
            guard grownBytes > configuration.checkpointBytes, !state.isRequested else { return false }
            state.isRequested = true
            return true
        }
        if isNews { state.broadcast() }
    }

    /// Asks for one and waits until it is done; the log is empty on disk then, unless readers still need it.
    func run() throws(SQLiteError) {
        let ticket = state.withLock { state in
            state.askedCount += 1
            return state.askedCount
        }
        state.broadcast()
        let failure = state.wait { state -> SQLiteError?? in
            if state.answeredCount >= ticket { return .some(state.failure) }
            return state.isClosing ? .some(SQLiteError(.closed, "the database was closed")) : nil
        }
        if case .some(.some(let failure)) = failure { throw failure }
    }

    /// Ends the thread; a checkpoint that is under way is finished first.
    func close() {
        state.withLock { $0.isClosing = true }
        state.broadcast()
        ended.wait()
    }

    /// Once `close` returned.
    func closeHandle(isLogKept: Bool) { handle.close(isLogKept: isLogKept) }

    private func work() {
        while true {
            let job = state.wait { state -> Job? in
                if state.isClosing { return .end }
                guard state.isRequested || state.askedCount > state.answeredCount else { return nil }
                let isForced = state.askedCount > state.answeredCount
                return .checkpoint(answering: state.askedCount, isForced: isForced)
            }
            guard case .checkpoint(let ticket, let isForced) = job else { return }
            let failure = checkpoint(isForced: isForced)
            state.withLock { state in
                state.answeredCount = ticket
                state.failure = failure
                state.checkpointCount += 1
                // Whatever this checkpoint could not do is not tried again before the log has grown once more.
                state.keptFrameCount = state.frameCount
                state.isRequested = false
            }
            state.broadcast()
        }
    }

    private func checkpoint(isForced: Bool) -> SQLiteError? {
        do throws(SQLiteError) {
            // After a failed barrier the log may not be what we read from the kernel's memory; nothing is built on it.
            if let failure = log.failure { throw failure }
            _ = try copy(SQLITE_CHECKPOINT_PASSIVE)
            try synchronizeDatabase()
            try finish(isForced: isForced)
            return nil
        } catch {
            if error.isFailedBarrier { log.recordFailure(error) }
            logger.warning("checkpoint failed", ["error": error])
            return error
        }
    }

    /// The rest, in the writer's turn. The log then begins again with the next commit; only a log that grew long is
    /// also cut back on disk.
    private func finish(isForced: Bool) throws(SQLiteError) {
        try turn.take()
        defer { turn.release() }
        try settle()
        let committed = log.committed
        let logBytes = Int64(state.withLock { $0.frameCount }) * Self.frameBytes
        let isLong = logBytes > configuration.truncateBytes
        if try copy(isForced || isLong ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART) {
            log.recordCheckpoint(upTo: committed)
        } else if isLong {
            logger.warning("the log cannot be cut back, a reader needs it", ["log.bytes": logBytes])
        }
    }

    /// True when everything was copied. Being kept from finishing by a reader or by another process is no failure: the
    /// next checkpoint goes on from there.
    private func copy(_ mode: Int32) throws(SQLiteError) -> Bool {
        var total: Int32 = 0
        var copied: Int32 = 0
        let result = sqlite3_wal_checkpoint_v2(handle.raw, "main", mode, &total, &copied)
        if result & 0xff == SQLITE_BUSY { return false }
        guard result == SQLITE_OK else {
            throw SQLiteError(result: result, on: handle.raw, .running, doing: "copying the log into the database")
        }
        return total == copied
    }

    /// SQLite synchronises the database only in a checkpoint that copied everything, which would be in somebody's turn.
    private func synchronizeDatabase() throws(SQLiteError) {
        let result = daleks_sqlite_synchronize(handle.raw)
        guard result == SQLITE_OK else {
            throw SQLiteError(result: result, on: nil, .running, doing: "making the database durable")
        }
    }

    /// A page and its header; the page size is SQLite's default, which `Database` does not change.
    static let frameBytes: Int64 = 4_096 + 24
}
