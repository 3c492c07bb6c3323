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
    private struct State {
        var isAwake = true
        var isStopping = false
        var isPaused = false
        var isIdle = false
        var lastFailure: RemoteError?
    }

    /// A commit on its way, and the instant of the file that it carries.
    struct ActiveCommit: Sendable {
        var content: FileContent
        var snapshot: ContentSnapshot
    }

    let tree: LocalTree
    let news: RemoteNews
    let remote: any Remote
    let logger: Logger
    let hostName: String
    private let uploader: Uploader
    private let uploads: WorkerPool
    private let asideFolder: String
    /// Called when the region took a batch.
    private let wasAnswered: @Sendable () -> Void
    private let state = Condition(State())
    let active = Lock<[Int64: ActiveCommit]>([:])

    init(
        tree: LocalTree,
        news: RemoteNews,
        remote: any Remote,
        asideFolder: String,
        hostName: String,
        logger: Logger,
        wasAnswered: @escaping @Sendable () -> Void
    ) {
        self.wasAnswered = wasAnswered
        self.tree = tree
        self.news = news
        self.remote = remote
        self.asideFolder = asideFolder
        self.hostName = hostName
        self.logger = logger
        uploads = WorkerPool(name: "upload", threadCountMax: 4, waitingCountMax: 4_096)
        uploader = Uploader(remote: remote, pool: WorkerPool(name: "put", threadCountMax: 8, waitingCountMax: 256))
    }

    // MARK: From other threads

    func wake() {
        state.withLock { $0.isAwake = true }
        state.broadcast()
    }

    func pause(_ isPaused: Bool) {
        state.withLock { ($0.isPaused, $0.isAwake) = (isPaused, true) }
        state.broadcast()
    }

    /// Whether what is written here goes up now.
    var isTaking: Bool { state.withLock { !$0.isPaused && $0.lastFailure == nil } }

    var lastFailure: RemoteError? { state.withLock { $0.lastFailure } }

    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
        uploads.close()
        uploader.pool.close()
    }

    // MARK: The loop

    func run() {
        var retry = Retry()
        while true {
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
                guard mayWake, state.isAwake, !state.isPaused else { return nil }
                state.isAwake = false
                return false
            }
            if isStopping == true || state.withLock({ $0.isStopping }) { return }
            saveIdleWriters()
        }
    }

    /// How often to look for files that were written to and then left alone, still open.
    private static let quietPause: Duration = .seconds(1)

    /// A file that nobody has written to for a while goes to the region as it is, though it is still open.
    private func saveIdleWriters() {
        let before = tree.wallNow - .seconds(2)
        for content in tree.contents.allLoaded {
            let isIdle = content.state.withLock { $0.isUncommitted && $0.modified < before }
            if isIdle { try? tree.saveContent(content) }
        }
    }

    private func pushAll() -> Result<Void, RemoteError> {
        do throws(PushFailure) {
            while !state.withLock({ $0.isStopping || $0.isPaused }) {
                guard let batch = try nextBatch() else { return .success(()) }
                try send(batch)
            }
            return .success(())
        } catch {
            switch error {
            case .remote(let error): return .failure(error)
            case .local(let error):
                logger.error("journal could not be read or written", ["errno": error])
                return .failure(.unreachable("local database: \(error)"))
            }
        }
    }

    enum PushFailure: Error {
        case local(Errno)
        case remote(RemoteError)
    }

    // MARK: Making a batch

    private struct Batch {
        var device: DeviceID
        var acknowledged: Int64
        var rows: [JournalTable.Row]
        var operations: [Operation]
    }

    private func nextBatch() throws(PushFailure) -> Batch? {
        do throws(Errno) {
            if let again = try unansweredBatch() { return again }
            let rows = try sendableRows()
            return rows.isEmpty ? nil : try number(rows)
        } catch {
            throw .local(error)
        }
    }

    /// What was sent before and not answered is sent again, word for word, before anything else.
    private func unansweredBatch() throws(Errno) -> Batch? {
        try tree.database.reading { db throws -> Batch? in
            let rows = try JournalTable.numbered(limit: Limits.Wire.batchOperationCountMax, in: db)
            guard !rows.isEmpty else { return nil }
            return try Self.batch(rows, db)
        }
    }

    private static func batch(_ rows: [JournalTable.Row], _ db: borrowing Connection) throws -> Batch {
        guard let text = try MetaTable.text(.device, in: db), let device = DeviceID(text) else {
            throw SQLiteError(.corrupt, "the replica has no device id", sql: "meta")
        }
        var operations: [Operation] = []
        for row in rows { operations.append(try operation(of: row)) }
        return Batch(
            device: device,
            acknowledged: try MetaTable.integer(.acknowledged, in: db) ?? 0,
            rows: rows,
            operations: operations
        )
    }

    static func operation(of row: JournalTable.Row) throws -> Operation {
        guard let body = row.body, let json = try? JSONValue.parse(body), let operation = try? Operation(json: json)
        else {
            throw SQLiteError(.corrupt, "journal row \(row.place) cannot be read", sql: "journal")
        }
        return operation
    }

    private func sendableRows() throws(Errno) -> [JournalTable.Row] {
        var plan = JournalPlan()
        var rows: [JournalTable.Row] = []
        var (place, bytes): (Int64, Int) = (0, 0)
        while rows.count < Limits.Wire.batchOperationCountMax, bytes < Limits.Wire.batchBytesMax / 2 {
            let page = try tree.database.reading { db throws in
                try JournalTable.page(after: place, limit: Self.pageRowCount, in: db)
            }
            guard let last = page.last else { break }
            place = last.place
            for var row in page {
                switch plan.judge(row, isPrepared: row.body != nil) {
                case .wait: continue
                case .prepare:
                    guard let body = try prepare(row) else {
                        plan.hold(row.subjects)
                        continue
                    }
                    row.body = body
                case .send: break
                }
                bytes += row.body?.count ?? 0
                rows.append(row)
                if rows.count == Limits.Wire.batchOperationCountMax || bytes >= Limits.Wire.batchBytesMax / 2 { break }
            }
            if place > Self.lookaheadRowCount + (rows.first?.place ?? place) { break }
        }
        return rows
    }

    private static let pageRowCount = 256

    /// How far past a row that waits others are looked for.
    private static let lookaheadRowCount: Int64 = 10_000

    /// The body of a commit whose content can ride inside, or nil after giving a larger one to the uploader.
    private func prepare(_ row: JournalTable.Row) throws(Errno) -> [UInt8]? {
        let inode = row.subjects.node
        if active.withLock({ $0[row.place] != nil }) { return nil }
        guard let (content, node) = try contentAndNode(of: inode) else {
            try tree.database.writing { db throws in try JournalTable.delete(place: row.place, in: db) }
            return nil
        }
        // First this, then the snapshot: whatever is saved between the two gets a commit of its own, needed or not.
        tree.takenCommits.withLock { _ = $0.insert(row.place) }
        let commit = ActiveCommit(content: content, snapshot: content.takeSnapshot(asideFolder: asideFolder))
        active.withLock { $0[row.place] = commit }
        do throws(Errno) {
            if let spans = try uploader.inlineSpans(of: content, commit.snapshot, base: node.content) {
                return Self.body(of: node, commit.snapshot, spans)
            }
        } catch {
            finish(row.place)
            throw error
        }
        if !uploads.submit({ [self] in upload(row, node, commit) }) { finish(row.place) }
        return nil
    }

    private func contentAndNode(of inode: Inode) throws(Errno) -> (FileContent, LocalNode)? {
        let node = try tree.database.reading { db throws in try NodeTable.find(inode, in: db) }
        guard let node, node.attributes.kind == .file else { return nil }
        return (try tree.contents.use(inode), node)
    }

    private static func body(of node: LocalNode, _ snapshot: ContentSnapshot, _ spans: [Span]) -> [UInt8] {
        let commit = Mutation.Commit(
            node: node.id,
            base: .content(node.content),
            size: snapshot.size,
            spans: spans,
            modified: snapshot.modified,
            time: snapshot.modified
        )
        return Operation(sequence: 1, mutation: .commit(commit)).jsonBytes
    }

    /// On a thread of the pool: uploads, then lets the row go on. Tries for ever while the region is away.
    private func upload(_ row: JournalTable.Row, _ node: LocalNode, _ commit: ActiveCommit) {
        var retry = Retry()
        while true {
            do throws(UploadFailure) {
                let spans = try uploader.upload(commit.content, commit.snapshot, base: node.content)
                let body = Self.body(of: node, commit.snapshot, spans)
                do throws(Errno) {
                    try tree.database.writing { db throws in
                        try JournalTable.setBody(body, at: row.place, in: db)
                    }
                } catch {
                    throw UploadFailure.local(error)
                }
                return wake()
            } catch {
                logger.info("upload waits", ["inode": row.subjects.node, "reason": "\(error)"])
            }
            let isStopping = state.wait(timeout: retry.next()) { $0.isStopping ? true : nil } ?? false
            if isStopping { return finish(row.place) }
        }
    }

    /// Lets go of a commit's snapshot and content.
    func finish(_ place: Int64) {
        guard let commit = active.withLock({ $0.removeValue(forKey: place) }) else { return }
        tree.takenCommits.withLock { _ = $0.remove(place) }
        commit.content.dropSnapshot(commit.snapshot)
        tree.contents.release(commit.content.inode)
        tree.collect(commit.content.inode)
    }

    /// Gives the rows their numbers and fixes what will be sent under them, before anything is sent.
    private func number(_ rows: [JournalTable.Row]) throws(Errno) -> Batch {
        try tree.database.writing { db throws -> Batch in
            var sequence = try MetaTable.integer(.sequence, in: db) ?? 0
            var numbered: [JournalTable.Row] = []
            for var row in rows {
                // A commit of a file that was removed meanwhile is no longer there.
                guard try JournalTable.find(place: row.place, in: db) != nil else { continue }
                sequence += 1
                var operation = try Self.operation(of: row)
                operation.sequence = sequence
                let body = operation.jsonBytes
                try JournalTable.number(sequence, body: body, at: row.place, in: db)
                row.sequence = sequence
                row.body = body
                numbered.append(row)
            }
            try MetaTable.set(.sequence, sequence, in: db)
            return try Self.batch(numbered, db)
        }
    }

    // MARK: Sending

    private func send(_ batch: Batch) throws(PushFailure) {
        guard !batch.rows.isEmpty else { return }
        let answer: BatchAnswer
        do throws(RemoteError) {
            answer = try remote.mutate(
                MutationBatch(device: batch.device, acknowledged: batch.acknowledged, operations: batch.operations)
            )
        } catch {
            if error == .deviceForked { try takeNewDevice() }
            throw .remote(error)
        }
        guard answer.results.count == batch.rows.count else {
            throw .remote(.unreachable("the region answered \(answer.results.count) of \(batch.rows.count) operations"))
        }
        do throws(Errno) {
            try settle(
                zip(batch.rows, batch.operations).enumerated().map { index, pair in
                    Settlement.Item(row: pair.0, operation: pair.1, outcome: answer.results[index].outcome)
                }
            )
        } catch {
            throw .local(error)
        }
        // After the answers are in: only then is what they held back settled.
        wasAnswered()
    }

    /// Somebody else counts under our device id (a copied machine, a restored backup): count anew under another.
    private func takeNewDevice() throws(PushFailure) {
        logger.warning("the region knows this device id from elsewhere; taking a new one")
        do throws(Errno) {
            try tree.database.writing { db throws in
                try MetaTable.set(.device, "\(DeviceID.random(at: tree.wallNow))", in: db)
                try MetaTable.set(.sequence, 0, in: db)
                try MetaTable.set(.acknowledged, 0, in: db)
                try db.execute("UPDATE journal SET sequence = NULL")
                try NodeTable.distrustAll(in: db)
            }
        } catch {
            throw .local(error)
        }
    }
}
