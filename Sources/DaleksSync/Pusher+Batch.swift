import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Which rows go out next, and as what.
extension Pusher {
    struct Batch {
        var device: DeviceID
        var acknowledged: Int64
        /// How far the feed had been followed: a region that is not there runs nothing of this.
        var cursor: String?
        var rows: [JournalTable.Row] = []
        var operations: [Operation] = []
    }

    /// A row that can go out, and what it says.
    struct ReadyRow {
        var row: JournalTable.Row
        var operation: Operation
    }

    func nextBatch() throws(PushFailure) -> Batch? {
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
        try tree.database.readingLong { db throws -> Batch? in
            let rows = try JournalTable.numbered(limit: Limits.Wire.batchOperationCountMax, in: db)
            guard !rows.isEmpty else { return nil }
            var batch = try Self.emptyBatch(db)
            batch.rows = rows
            batch.operations = try rows.map(Journaling.operation(of:))
            return batch
        }
    }

    private static func emptyBatch(_ db: borrowing Connection) throws -> Batch {
        guard let text = try MetaTable.text(.device, in: db), let device = DeviceID(text) else {
            throw SQLiteError(.corrupt, "the replica has no device id", sql: "meta")
        }
        return Batch(
            device: device,
            acknowledged: try MetaTable.integer(.acknowledged, in: db) ?? 0,
            cursor: try SeenCursor.find(db)?.description
        )
    }

    private func sendableRows() throws(Errno) -> [ReadyRow] {
        try letGoOfStranded()
        let now = tree.wallNow
        let refusals = try tree.database.reading { db throws in try RefusalTable.all(in: db) }
        full.withLock { $0 = refusals.contains { $0.code == RefusalPlan.quota } }
        var plan = JournalPlan(setAside: Set(refusals.lazy.filter { $0.retryAt > now }.map(\.place)))
        let questions = JournalPlan.Questions(folders: folders(of:), isFolder: isFolder(_:), mutation: mutation(of:))
        let lacking = Set(refusals.lazy.filter { RefusalTable.Code.needsBase($0.code) }.map(\.place))
        var rows: [ReadyRow] = []
        var (place, bytes): (Int64, Int) = (0, 0)
        while rows.count < Limits.Wire.batchOperationCountMax, bytes < Limits.Wire.batchBytesMax / 2 {
            let page = try tree.database.readingLong { db throws in
                try JournalTable.page(after: place, limit: Self.pageRowCount, in: db)
            }
            guard let last = page.last else { break }
            place = last.place
            for var row in page {
                let operation: Operation
                switch try plan.judge(row, isPrepared: row.body != nil, questions) {
                case .wait: continue
                case .prepare:
                    guard let made = lacking.contains(row.place) ? try complete(row) : try prepare(row) else {
                        plan.hold(row)
                        continue
                    }
                    operation = made
                    row.body = made.jsonBytes
                case .send: operation = try self.operation(of: row)
                }
                bytes += row.body?.count ?? 0
                rows.append(ReadyRow(row: row, operation: operation))
                if rows.count == Limits.Wire.batchOperationCountMax || bytes >= Limits.Wire.batchBytesMax / 2 { break }
            }
            if place > Self.lookaheadRowCount + (rows.first?.row.place ?? place) { break }
        }
        return rows
    }

    private func folders(of inode: Inode) throws(Errno) -> [Inode] {
        try tree.database.reading { db throws in try EntryTable.places(of: inode, db).map(\.parent) }
    }

    private func isFolder(_ inode: Inode) throws(Errno) -> Bool {
        try tree.database.reading { db throws in try NodeTable.find(inode, in: db)?.attributes.kind == .folder }
    }

    private func mutation(of row: JournalTable.Row) throws(Errno) -> Mutation { try operation(of: row).mutation }

    private func operation(of row: JournalTable.Row) throws(Errno) -> Operation {
        do { return try Journaling.operation(of: row) } catch {
            logger.error("the journal cannot be read", ["reason": "\(error)"])
            throw .io
        }
    }

    static let pageRowCount = 256

    /// How far past a row that waits others are looked for.
    static let lookaheadRowCount: Int64 = 10_000

    /// A commit whose content can ride inside, or nil after giving a larger one to the uploader.
    private func prepare(_ row: JournalTable.Row) throws(Errno) -> Operation? {
        let inode = row.subjects.node
        if active.withLock({ $0[row.place] != nil }) { return nil }
        // An upload for a row that is gone notices that in its own time, and lets go of the file then.
        if tree.contents.loaded(inode)?.isBeingSent == true { return nil }
        guard let (content, node) = try contentAndNode(of: inode) else {
            try tree.database.writing { db throws in try JournalTable.delete(place: row.place, in: db) }
            return nil
        }
        // First this, then the snapshot: whatever is saved between the two gets a commit of its own, needed or not.
        tree.takenCommits.withLock { _ = $0.insert(row.place) }
        let commit = ActiveCommit(content: content, snapshot: content.takeSnapshot(asideFolder: asideFolder))
        active.withLock { $0[row.place] = commit }
        if let nothing = Self.operationOfNothing(node, commit.snapshot) {
            // In this order: what is written meanwhile must not take the row for one that will carry it.
            try tree.database.writing { db throws in
                try JournalTable.becomeMetadata(place: row.place, body: nothing.jsonBytes, in: db)
            }
            finish(row.place)
            return nothing
        }
        do throws(Errno) {
            if let spans = try uploader.inlineSpans(of: content, commit.snapshot, base: node.content) {
                return Self.operation(on: node, commit.snapshot, spans)
            }
        } catch {
            finish(row.place)
            throw error
        }
        active.withLock { $0[row.place]?.isUploading = true }
        if !labour.uploads.submit({ [self] in upload(row, node, commit) }) { finish(row.place) }
        return nil
    }

    private func contentAndNode(of inode: Inode) throws(Errno) -> (FileContent, LocalNode)? {
        let node = try tree.database.reading { db throws in try NodeTable.find(inode, in: db) }
        guard let node, node.attributes.kind == .file else { return nil }
        return (try tree.contents.use(inode), node)
    }

    /// Where the region has these very bytes already, only the time has to be told, which never is a conflict.
    private static func operationOfNothing(_ node: LocalNode, _ snapshot: ContentSnapshot) -> Operation? {
        guard snapshot.spans.isEmpty, node.content != 0, node.content == snapshot.base,
            snapshot.size == snapshot.baseSize
        else { return nil }
        let change = Mutation.AttributeChange(node: node.id, modified: snapshot.modified, time: snapshot.modified)
        return Operation(sequence: 1, mutation: .attributes(change))
    }

    private static func operation(on node: LocalNode, _ snapshot: ContentSnapshot, _ spans: [Span]) -> Operation {
        let commit = Mutation.Commit(
            node: node.id,
            base: .content(node.content),
            size: snapshot.size,
            spans: spans,
            modified: snapshot.modified,
            time: snapshot.modified
        )
        return Operation(sequence: 1, mutation: .commit(commit))
    }

    /// On a thread of the pool: uploads, then lets the row go on. Tries for ever while the region is away.
    private func upload(_ row: JournalTable.Row, _ node: LocalNode, _ commit: ActiveCommit) {
        var retry = Retry()
        var spans: [Span] = []
        while true {
            var isPaused = false
            do throws(UploadFailure) {
                let place = try uploadPlace(of: node)
                try uploader.upload(
                    commit.content,
                    commit.snapshot,
                    base: node.content,
                    place: place,
                    onto: &spans
                )
                let body = Self.operation(on: node, commit.snapshot, spans).jsonBytes
                do throws(Errno) {
                    let isWanted = try tree.database.writing { db throws in
                        try JournalTable.setBody(body, at: row.place, in: db)
                    }
                    if !isWanted { finish(row.place) }
                    active.withLock { $0[row.place]?.isPrepared = true }
                } catch {
                    throw UploadFailure.local(error)
                }
                return wake()
            } catch {
                if case .paused = error { isPaused = true }
                logger.info("upload waits", ["inode": row.subjects.node, "reason": "\(error)"])
            }
            // Its file may be removed meanwhile, so that nobody needs this any more.
            if isPaused { sending.waitWhilePaused(upTo: Self.goneLookPeriod) }
            if rest(isPaused ? .zero : retry.next()) || isGone(row) {
                finish(row.place)
                return wake()
            }
        }
    }

    /// How often an upload that waits to be let on looks whether it is wanted still.
    private static let goneLookPeriod: Duration = .milliseconds(500)

    /// In somebody else's tree chunks are put for a node that the region knows: the file, or the nearest folder above.
    private func uploadPlace(of node: LocalNode) throws(UploadFailure) -> NodeID? {
        guard node.standing.granted != nil else { return nil }
        do throws(Errno) {
            return try tree.database.reading { db throws in
                var place = try NodeTable.find(node.inode, in: db)
                while let known = place, known.revision == 0 {
                    place = try EntryTable.places(of: known.inode, db).first.flatMap { above in
                        try NodeTable.find(above.parent, in: db)
                    }
                }
                return place?.id
            }
        } catch {
            throw .local(error)
        }
    }

    /// Commits that go nowhere as they are: their file was removed when they were ready, or the batch for which they
    /// were read did not come about, as where the disk has no room for its numbers. Those are read again.
    private func letGoOfStranded() throws(Errno) {
        let ready = active.withLock { $0.filter { $0.value.isPrepared || !$0.value.isUploading }.keys.sorted() }
        guard !ready.isEmpty else { return }
        let stranded = try tree.database.reading { db throws in
            try ready.filter { try JournalTable.find(place: $0, in: db)?.body == nil }
        }
        for place in stranded { finish(place) }
    }

    private func isGone(_ row: JournalTable.Row) -> Bool {
        (try? tree.database.reading { db throws in try JournalTable.find(place: row.place, in: db) == nil }) ?? false
    }

    /// Waits before another attempt, or until the region is back; true where there shall be none.
    func rest(_ pause: Duration) -> Bool {
        if let rest = labour.rest { rest(pause) }
        let returnCount = state.withLock { $0.returnCount }
        let isStopping = state.wait(timeout: labour.rest == nil ? pause : .zero) { state -> Bool? in
            if state.isStopping { return true }
            return state.returnCount != returnCount ? false : nil
        }
        return isStopping ?? false
    }

    /// Lets go of a commit's snapshot and content.
    func finish(_ place: Int64) {
        guard let commit = active.withLock({ $0.removeValue(forKey: place) }) else { return }
        tree.takenCommits.withLock { _ = $0.remove(place) }
        commit.content.dropSnapshot(commit.snapshot)
        tree.contents.leave(commit.content.inode)
    }

    /// Gives the rows their numbers and fixes what will be sent under them, before anything is sent. A few at a time:
    /// the kernel's requests want the database too, and rows that were numbered go out first whenever that is.
    private func number(_ rows: [ReadyRow]) throws(Errno) -> Batch {
        var batch = try tree.database.reading { db throws in try Self.emptyBatch(db) }
        for start in stride(from: 0, to: rows.count, by: Self.sliceRowCount) {
            let slice = rows[start..<min(start + Self.sliceRowCount, rows.count)]
            let (numbered, gone) = try tree.database.writing { db throws in try Self.number(slice, db) }
            for place in gone { finish(place) }
            batch.rows += numbered.map(\.row)
            batch.operations += numbered.map(\.operation)
        }
        return batch
    }

    /// Rows that are numbered or settled in one transaction. Few, for whoever changes something waits for it, and while
    /// others want the processor that is longer than it takes; they share a commit anyway.
    static let sliceRowCount = 8

    /// Also tells the places of rows that are not there any more.
    private static func number(
        _ rows: ArraySlice<ReadyRow>,
        _ db: borrowing Connection
    ) throws -> (numbered: [ReadyRow], gone: [Int64]) {
        var sequence = try MetaTable.integer(.sequence, in: db) ?? 0
        var numbered: [ReadyRow] = []
        var gone: [Int64] = []
        for var item in rows {
            // A commit of a file that was removed meanwhile is no longer there.
            guard let now = try JournalTable.find(place: item.row.place, in: db) else {
                gone.append(item.row.place)
                continue
            }
            sequence += 1
            if let body = item.row.body, now.body == nil {
                try JournalTable.setBody(body, at: now.place, in: db)
            } else if now.body != item.row.body {
                // It says something else since it was read, and under one number goes out what stands here.
                item.operation = try Journaling.operation(of: now)
                item.row.body = now.body
            }
            (item.row.subjects, item.row.kind) = (now.subjects, now.kind)
            item.row.sequence = sequence
            item.operation.sequence = sequence
            try JournalTable.number(sequence, at: now.place, in: db)
            numbered.append(item)
        }
        try MetaTable.set(.sequence, sequence, in: db)
        return (numbered, gone)
    }
}
