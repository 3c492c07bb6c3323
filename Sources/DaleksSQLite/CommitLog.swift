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
/// `state` is guarded by itself. The barrier runs with no lock held; `isSynchronizing` says that a thread is at it. A
/// thread that finds it set joins the next cohort; when the barrier ends, one of that cohort makes the next one.
final class CommitLog: Sendable {
    private struct State {
        var committedCount: UInt64 = 0
        /// Those that SQLite's log has; the others are in a group that is still open.
        var writtenCount: UInt64 = 0
        var durableCount: UInt64 = 0
        var barrierCount: UInt64 = 0
        /// A barrier is under way, or its leader has been named.
        var isSynchronizing = false
        /// Those who came too late for the barrier under way, and share the next one.
        var next: Cohort?
        /// Once set, for ever: what the kernel dropped when a barrier failed it does not report again, so a later
        /// barrier that succeeds proves nothing. The file must be opened again, which reads what really is there.
        var failure: SQLiteError?
    }

    /// Threads that share one barrier. They sleep apart from those of other barriers, so that each is woken once.
    private final class Cohort: Sendable {
        enum Phase {
            case waiting
            /// One of those who wait is to make the barrier.
            case needsLeader
            case led
            case done
        }
        private let phase = Condition(Phase.waiting)

        /// True where this thread is to make the barrier, false once it was made.
        func waitIsLeading() -> Bool {
            let isLeading = phase.wait { phase -> Bool? in
                switch phase {
                case .waiting, .led: return nil
                case .done: return false
                case .needsLeader:
                    phase = .led
                    return true
                }
            }
            return isLeading ?? false
        }

        func nameLeader() {
            phase.withLock { $0 = .needsLeader }
            phase.signal()
        }

        func finish() {
            phase.withLock { $0 = .done }
            phase.broadcast()
        }
    }

    private enum Turn {
        case done
        case failed(SQLiteError)
        case lead(Cohort?)
        case follow(Cohort)
    }

    private let state = Lock(State())
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
    var written: LogPosition { state.withLock { LogPosition(commitCount: $0.writtenCount) } }
    var durable: LogPosition { state.withLock { LogPosition(commitCount: $0.durableCount) } }
    var barrierCount: UInt64 { state.withLock { $0.barrierCount } }
    var failure: SQLiteError? { state.withLock { $0.failure } }

    /// Called by the writer, in its turn, once a commit has returned.
    func recordCommit(isWritten: Bool = true) -> LogPosition {
        state.withLock { state in
            state.committedCount += 1
            if isWritten { state.writtenCount = state.committedCount }
            if file == nil { state.durableCount = state.committedCount }
            return LogPosition(commitCount: state.committedCount)
        }
    }

    /// Called by the writer, in its turn: a group ended.
    func recordWritten() { state.withLock { $0.writtenCount = $0.committedCount } }

    /// Whether a barrier would reach the commit at this position.
    func isWritten(_ position: LogPosition) -> Bool { state.withLock { $0.writtenCount >= position.commitCount } }

    /// A checkpoint copied the whole log while nobody could write: everything up to `position` is in the database.
    func recordCheckpoint(upTo position: LogPosition) {
        state.withLock { $0.durableCount = max($0.durableCount, position.commitCount) }
    }

    /// Some other barrier (SQLite's own, in a checkpoint) failed.
    func recordFailure(_ error: SQLiteError) {
        state.withLock { if $0.failure == nil { $0.failure = error } }
    }

    /// Returns when the commit at `position` and all before it are durable.
    func flush(upTo position: LogPosition) throws(SQLiteError) {
        while true {
            switch turn(for: position) {
            case .done: return
            case .failed(let error): throw error
            case .lead(let cohort): synchronize(with: cohort)
            case .follow(let cohort): if cohort.waitIsLeading() { synchronize(with: cohort) }
            }
        }
    }

    private func turn(for position: LogPosition) -> Turn {
        state.withLock { state in
            precondition(position.commitCount <= state.committedCount, "a position of another database")
            if state.durableCount >= position.commitCount { return .done }
            if let failure = state.failure { return .failed(failure) }
            guard state.isSynchronizing else {
                state.isSynchronizing = true
                return .lead(nil)
            }
            let cohort = state.next ?? Cohort()
            state.next = cohort
            return .follow(cohort)
        }
    }

    /// Makes the barrier for every commit so far, tells those who waited for it, and names the next leader.
    private func synchronize(with cohort: Cohort?) {
        let count = state.withLock { state in
            // Whoever asks from now on may have committed after the barrier began.
            if let cohort, state.next === cohort { state.next = nil }
            return state.writtenCount
        }
        var failure: SQLiteError?
        do throws(Errno) { try barrier() } catch {
            failure = SQLiteError(
                .ioError,
                "the log could not be made durable (\(error)); the database must be reopened"
            )
        }
        let next = state.withLock { state -> Cohort? in
            state.barrierCount += 1
            if let failure {
                if state.failure == nil { state.failure = failure }
            } else {
                state.durableCount = max(state.durableCount, count)
            }
            state.isSynchronizing = state.next != nil
            return state.next
        }
        // The disk first: those who are done can be a moment later.
        next?.nameLeader()
        cohort?.finish()
    }

    private func barrier() throws(Errno) {
        guard file != nil else { return }
        try file?.synchronizeData()
        // Somebody removed the log from under us: what is in it is in no folder, and a power cut would lose it.
        if try file?.status().st_nlink == 0 { throw .stale }
    }
}
