import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Files of which the region has another content, and of which not everything is here: what is lacking comes from the
/// content that ours builds on, which the region keeps for a while, and then ours can be a file of its own.
extension Pusher {
    /// Fetches what the row's file lacks, beside the journal; the row is judged again when that is done.
    func complete(_ row: JournalTable.Row) throws(Errno) -> Operation? {
        let isNew = completing.withLock { $0.insert(row.place).inserted }
        guard isNew else { return nil }
        let accepted = labour.uploads.submit { [self] in
            defer {
                completing.withLock { _ = $0.remove(row.place) }
                wake()
            }
            let failure = fetchLacking(of: row.subjects.node)
            do throws(Errno) {
                if let failure { try postpone(row, failure) } else { try makeOwn(row) }
            } catch {
                logger.error("a file could not be made one of its own", ["inode": row.subjects.node, "errno": error])
            }
        }
        if !accepted { completing.withLock { _ = $0.remove(row.place) } }
        return nil
    }

    private func fetchLacking(of inode: Inode) -> Errno? {
        guard let node = try? tree.database.reading({ db throws in try NodeTable.find(inode, in: db) }) ?? nil else {
            return nil
        }
        let spans = FileContent.spanCount(of: min(node.contentSize, node.attributes.size))
        return spans == 0 ? nil : fetcher.fetchNow(.spans(inode, 0..<spans))
    }

    /// The base cannot be had now. The bytes stay here, shown and listed, and it is tried again.
    private func postpone(_ row: JournalTable.Row, _ failure: Errno) throws(Errno) {
        let now = tree.wallNow
        try tree.database.writing { db throws in
            guard var refusal = try RefusalTable.find(row.place, in: db) else { return }
            let isForGood = failure == .stale || failure == .io
            refusal.attempts += 1
            refusal.detail = isForGood ? "the region no longer has what this file was made from" : "\(failure)"
            refusal.retryAt = now + (isForGood ? .seconds(3_600) : min(.seconds(60), .seconds(1) * refusal.attempts))
            try RefusalTable.set(refusal, in: db)
        }
    }

    private func makeOwn(_ row: JournalTable.Row) throws(Errno) {
        let inode = row.subjects.node
        let settlement = try news.inTurn { () throws(Errno) -> Settlement in
            try tree.contents.holding([inode]) { held throws(Errno) -> Settlement in
                let content = held[inode]
                content?.freeze()
                var isOwn = false
                defer { content?.thaw { if isOwn { Self.becomeOwn(&$0) } } }
                let settlement = try write { settlement, db in try settlement.makeOwn(row, db) }
                isOwn = settlement.ownCopies.contains(inode)
                return settlement
            }
        }
        for place in settlement.settledPlaces { finish(place) }
        // It may have lost its last name while it waited.
        tree.collect(inode)
        for inode in settlement.nameless { tree.collect(inode) }
        tell(settlement)
    }

    /// What an open file must know when nothing of it is at the region any more.
    static func becomeOwn(_ state: inout FileContent.State) {
        state.revision = 0
        state.isPlaced = false
        state.remoteSize = 0
        state.cutFrom = 0
        state.pieces = [:]
        for span in state.spans.keys { state.spans[span] = .dirty }
    }
}

extension Settlement {
    /// The row's file becomes one of its own, if everything of it is here by now.
    fileprivate mutating func makeOwn(_ row: JournalTable.Row, _ db: borrowing Connection) throws {
        guard let row = try JournalTable.find(place: row.place, in: db),
            let refusal = try RefusalTable.find(row.place, in: db),
            let node = try NodeTable.find(row.subjects.node, in: db)
        else { return }
        guard let place = try EntryTable.places(of: node.inode, db).first else { return try drop(row, db) }
        guard try hasAllBytes(node, db) else { return }
        try drop(row, db)
        let keepsName = refusal.code == RefusalTable.Code.goneBase
        try makeOwn(node, at: Spot(parent: place.parent, name: place.name), keepsName: keepsName, db)
    }
}
