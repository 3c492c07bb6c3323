import DaleksCore
import DaleksSystem
import Glibc

/// Which commits the disk has for certain, and the barrier that many callers share.
///
/// ## The mechanism
/// Every commit runs at `synchronous=NORMAL`: SQLite appends its frames to the `-wal` file and synchronises nothing.
/// What makes commits durable is one `fdatasync` of that file through a descriptor of our own, made by the first caller
/// that needs it, for all whose commit returned before it began. This is what SQLite's FULL does at the end of a commit
/// (synchronise the log, whose frames are chained by checksums, so that recovery finds every commit whose frames are
/// there), with two differences: it needs no frame of its own, and it is made without the writer's turn, so that the
/// next commits go into the log while the disk works. They are who the next barrier carries.
///
/// It holds across the other things that happen to the log. A checkpoint synchronises the log before it copies from it,
/// and the database before the log may begin again, so a commit whose frames are gone from the log is durable in the
/// database. A log that begins again has its new header synchronised by SQLite, at NORMAL too, before the first frame.
/// SQLite never replaces the file while a connection is open, and takes no POSIX locks on it (those are on the database
/// and on `-shm`), so closing our descriptor drops none. The log's entry in its folder is made durable at opening.
///
/// ## Concurrency
/// `state` is guarded by itself. The barrier runs with no lock held; `isSynchronizing` says that a thread is at it.
final class CommitLog: Sendable {
    private struct State {
        var committedCount: UInt64 = 0
        var durableCount: UInt64 = 0
        var isSynchronizing = false
        var barrierCount: UInt64 = 0
        /// Once set, for ever: what the kernel dropped when a barrier failed it does not report again, so a later
        /// barrier that succeeds proves nothing. The file must be opened again, which reads what really is there.
        var failure: SQLiteError?
    }

    private enum Turn {
        case done
        case failed(SQLiteError)
        /// This thread makes the barrier, for the commits counted.
        case lead(UInt64)
    }

    private let state = Condition(State())
    /// Nil in memory, where nothing outlives the process and every commit counts as durable.
    private let file: FileDescriptor?

    init(inMemory: Void) { file = nil }

    /// The log exists: the database has been read in WAL mode before.
    init(path: String) throws(SQLiteError) {
        do throws(Errno) {
            file = try FileDescriptor.open(path, O_RDONLY)
            let parent = try FileDescriptor.open(DatabaseFile.folder(of: path), O_RDONLY | O_DIRECTORY)
            try parent.synchronize()
        } catch {
            throw SQLiteError(.cannotOpen, "cannot open the log \(path): \(error)")
        }
    }

    var committed: LogPosition { state.withLock { LogPosition(commitCount: $0.committedCount) } }
    var durable: LogPosition { state.withLock { LogPosition(commitCount: $0.durableCount) } }
    var barrierCount: UInt64 { state.withLock { $0.barrierCount } }
    var failure: SQLiteError? { state.withLock { $0.failure } }

    /// Called by the writer, in its turn, once a commit has returned.
    func recordCommit() -> LogPosition {
        state.withLock { state in
            state.committedCount += 1
            if file == nil { state.durableCount = state.committedCount }
            return LogPosition(commitCount: state.committedCount)
        }
    }

    /// A checkpoint copied the whole log while nobody could write: everything up to `position` is in the database.
    func recordCheckpoint(upTo position: LogPosition) {
        state.withLock { $0.durableCount = max($0.durableCount, position.commitCount) }
        state.broadcast()
    }

    /// Some other barrier (SQLite's own, in a checkpoint) failed.
    func recordFailure(_ error: SQLiteError) {
        state.withLock { if $0.failure == nil { $0.failure = error } }
        state.broadcast()
    }

    /// Returns when the commit at `position` and all before it are durable.
    func flush(upTo position: LogPosition) throws(SQLiteError) {
        let turn = state.wait { state -> Turn? in
            precondition(position.commitCount <= state.committedCount, "a position of another database")
            if state.durableCount >= position.commitCount { return .done }
            if let failure = state.failure { return .failed(failure) }
            if state.isSynchronizing { return nil }
            state.isSynchronizing = true
            return .lead(state.committedCount)
        }
        switch turn {
        case .lead(let count): try synchronize(upTo: count)
        case .failed(let error): throw error
        case .done, nil: return
        }
    }

    private func synchronize(upTo count: UInt64) throws(SQLiteError) {
        var failure: SQLiteError?
        do throws(Errno) { try barrier() } catch {
            failure = SQLiteError(
                .ioError,
                "the log could not be made durable (\(error)); the database must be reopened"
            )
        }
        state.withLock { state in
            state.isSynchronizing = false
            state.barrierCount += 1
            if let failure {
                state.failure = failure
            } else {
                state.durableCount = max(state.durableCount, count)
            }
        }
        state.broadcast()
        if let failure { throw failure }
    }

    private func barrier() throws(Errno) {
        guard file != nil else { return }
        try file?.synchronizeData()
        // Somebody removed the log from under us: what is in it is in no folder, and a power cut would lose it.
        if try file?.status().st_nlink == 0 { throw .stale }
    }
}
