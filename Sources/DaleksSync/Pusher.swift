import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Brings the journal to the region: in order where order can be seen, in batches, each operation once.
///
/// ## Concurrency
/// One thread of its own runs `run`; `state` is how others speak to it. Commits that are too large to ride in a batch
/// are uploaded on a pool; `active` holds what they work on, by the row's place.
final class Pusher: Sendable {
    struct State {
        var isAwake = true
        /// Somebody waits for the journal to be empty: nothing is held back for company.
        var isHurried = false
        var isStopping = false
        /// How often the region answered again after it had not.
        var returnCount = 0
        /// Changes since the start.
        var changeCount = 0
        var lastFailure: RemoteError?
    }

    /// A commit on its way, and the instant of the file that it carries.
    struct ActiveCommit: Sendable {
        var content: FileContent
        var snapshot: ContentSnapshot
        /// Everything of it is at the region; the journal's row says what to commit.
        var isPrepared = false
        /// It is on the pool, which lets go of it.
        var isUploading = false
    }

    let tree: LocalTree
    let news: RemoteNews
    let remote: any Remote
    let logger: Logger
    let hostName: String
    let uploader: Uploader
    let labour: Labour
    let fetcher: Fetcher
    let sending = Sending()
    let asideFolder: String
    /// Where it sends what was done in others' trees.
    let shares: Shares?
    /// Called when the region took a batch, or something need not be sent any more.
    let wasAnswered: @Sendable () -> Void
    let state = Condition(State())
    let active = Lock<[Int64: ActiveCommit]>([:])
    /// Whether the region refuses bytes because the account is full.
    let full = Lock(false)
    /// Rows whose files are being completed from the region.
    let completing = Lock<Set<Int64>>([])

    init(
        tree: LocalTree,
        news: RemoteNews,
        remote: any Remote,
        asideFolder: String,
        hostName: String,
        fetcher: Fetcher,
        labour: Labour,
        logger: Logger,
        shares: Shares? = nil,
        wasAnswered: @escaping @Sendable () -> Void
    ) {
        self.wasAnswered = wasAnswered
        self.shares = shares
        self.tree = tree
        self.news = news
        self.remote = remote
        self.asideFolder = asideFolder
        self.hostName = hostName
        self.logger = logger
        self.fetcher = fetcher
        self.labour = labour
        uploader = Uploader(remote: remote, pool: labour.puts, sending: sending)
    }

    // MARK: From other threads

    func wake() {
        // Each change of the tree comes here: a thread that is awake already is not woken once more.
        let wasAwake = state.withLock { state in
            defer { state.isAwake = true }
            state.changeCount &+= 1
            return state.isAwake
        }
        if !wasAwake { state.broadcast() }
    }

    /// As `wake`, by somebody who waits for the outcome.
    func hurry() {
        state.withLock { ($0.isAwake, $0.isHurried) = (true, true) }
        state.broadcast()
    }

    /// The region answers again: what was put off because it did not goes out now.
    func regionIsBack() {
        state.withLock { state in
            state.returnCount += 1
            state.isAwake = true
        }
        state.broadcast()
    }

    /// Nothing new is sent once this has returned, until it is told to go on. What is on its way is waited for, so
    /// long.
    func pause(_ isPaused: Bool, waitingUpTo limit: Duration) {
        guard !isPaused else {
            sending.pause(waitingUpTo: limit)
            return
        }
        sending.resume()
        wake()
    }

    /// Whether what is written here goes up now.
    var isTaking: Bool { !sending.isPaused && lastFailure == nil }

    var lastFailure: RemoteError? { state.withLock { $0.lastFailure } }

    func stop() {
        sending.stop()
        state.withLock { $0.isStopping = true }
        state.broadcast()
        labour.uploads.close()
        labour.puts.close()
    }

    // MARK: The loop

    func run() {
        var retry = Retry()
        while true {
            let returnCount = state.withLock { $0.returnCount }
            let outcome = pushAll()
            var pause: Duration = Self.quietPause
            switch outcome {
            case .success:
                retry.reset()
                state.withLock { $0.lastFailure = nil }
            case .failure(let error):
                state.withLock { $0.lastFailure = error }
                pause = retry.next()
                logger.info("journal waits for the region", ["reason": "\(error)"])
            }
            // While the region is away a wake-up must not shorten the pause: each write would be a request.
            let mayWake = if case .success = outcome { true } else { false }
            let isStopping = state.wait(timeout: pause) { state -> Bool? in
                if state.isStopping { return true }
                let mayTry = mayWake || state.returnCount != returnCount
                guard mayTry, state.isAwake, !sending.isPaused else { return nil }
                state.isAwake = false
                return false
            }
            if isStopping == true || state.withLock({ $0.isStopping }) { return }
            lookAgain()
            gather()
        }
    }

    /// How long the first of many changes waits for the others. What was made and removed in that time is never sent,
    /// and a barrier, a request, an answer and their transactions carry many operations instead of a few. A file that
    /// was closed is seen elsewhere so much later.
    static let gatherPause: Duration = .milliseconds(40)

    /// As many as this, and what comes after need not wait for company.
    private static let fullBatchCount = Limits.Wire.batchOperationCountMax / 2

    /// While changes keep coming the first of them waits longer: a program at work has the machine to itself, and what
    /// it makes and removes again soon is never sent.
    private static let busyPauseMax: Duration = .seconds(1)

    /// So many changes in one pause are a program at work.
    private static let busyChangeCount = 8

    private func gather() {
        guard labour.rest == nil else { return }
        let begin = TimeSource.system.now
        while true {
            let before = state.withLock { $0.changeCount }
            let isOver = state.wait(timeout: Self.gatherPause) { $0.isHurried || $0.isStopping ? true : nil }
            let isBusy = state.withLock { $0.changeCount &- before >= Self.busyChangeCount }
            if isOver == true || !isBusy || TimeSource.system.now - begin >= Self.busyPauseMax { break }
        }
        state.withLock { $0.isHurried = false }
    }

    /// How often to look for files that were written to and then left alone, still open.
    private static let quietPause: Duration = .seconds(1)

    /// What nobody asks for, and must be done now and then.
    func lookAgain() {
        saveIdleWriters()
        tree.seeOffAgain()
    }

    /// A file that nobody has written to for a while goes to the region as it is, though it is still open.
    private func saveIdleWriters() {
        let before = tree.wallNow - .seconds(2)
        for content in tree.contents.allLoaded {
            guard content.isUnsaved, content.live.modified < before, (try? tree.saveContent(content)) != nil else {
                continue
            }
            // Where it could not be saved when it was closed nobody works with it, and it may have no name any more.
            tree.collectIfDeparting(content.inode)
        }
    }

    /// Sends until nothing more can go now.
    func pushAll() -> Result<Void, RemoteError> {
        do throws(PushFailure) {
            while let count = try pushOnce() {
                if count < Self.fullBatchCount { gather() }
            }
            return .success(())
        } catch {
            switch error {
            case .remote(.cursorExpired):
                // It came back from a backup. The puller finds that out and says what is to be sent now.
                wasAnswered()
                return .success(())
            case .remote(let error): return .failure(error)
            case .local(let error):
                logger.error("journal could not be read or written", ["errno": error])
                return .failure(.unreachable("local database: \(error)"))
            }
        }
    }

    /// Sends what can go now, and says how many rows that was; nil where there is nothing, or nothing may be sent. The
    /// batch is made up inside as well: what has its numbers goes out as it is, whatever is done here while it waits.
    private func pushOnce() throws(PushFailure) -> Int? {
        let sent = try sending.unlessPaused { () throws(PushFailure) -> Int? in
            guard let batch = try nextBatch() else { return nil }
            try send(batch)
            return batch.rows.count
        }
        return sent ?? nil
    }

    enum PushFailure: Error {
        case local(Errno)
        case remote(RemoteError)
    }
}
