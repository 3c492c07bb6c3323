import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Takes a batch's answers into the replica, in one transaction. What happens where the region did not agree is in the
/// extensions beside this file, and in docs/conflicts.md as a table.
struct Settlement {
    struct Item {
        var row: JournalTable.Row
        var operation: Operation
        var outcome: OperationResult.Outcome
    }

    struct Report {
        var message: StaticString
        var node: Inode
        var detail: String
    }

    /// A name in a folder, as this machine knows folders.
    struct Spot: Hashable {
        var parent: Inode
        var name: Name
    }

    /// Which spans of a commit were written again since its instant; nil where this daemon did not make the commit.
    let changedSince: [Int64: Set<Int>]
    /// And the least size that the file has had since then.
    let cutSince: [Int64: Int64]
    /// Clean bytes of an earlier daemon are not believed before they were hashed.
    let mustVerify: Bool
    let conflictSuffix: String
    let now: Timestamp

    /// Rows that are done with, for letting go of their snapshots.
    private(set) var settledPlaces: [Int64] = []
    /// Spans that became clean, by row.
    private(set) var cleaned: [Int64: [Int]] = [:]
    /// What a person should hear of.
    var reports: [Report] = []
    /// Names that changed here because of a conflict.
    var renamed: [Spot] = []
    /// Nodes that may have lost their last name.
    var nameless: [Inode] = []
    /// Files that became nodes of their own: all their bytes are ours to send.
    var ownCopies: Set<Inode> = []
    /// What goes out again: an operation of the same batch that missed it only came too early.
    var resent: Set<Inode> = []
    /// Steps in these folders were answered, up to there.
    private var raised: [Inode: Revision] = [:]
    /// Nodes as they are in the end, where the region agreed with everything.
    private var left: [Inode: LocalNode] = [:]
    private var isAgreed = true
    /// How steps of ours leave the times of folders at the region.
    var folderTimes: [Inode: FolderTimes] = [:]
    /// What the region said of what was left to it, where it did not agree; by the row's place.
    var answers: [Int64: RegionQuestion.Answer] = [:]

    init(
        changedSince: [Int64: Set<Int>],
        cutSince: [Int64: Int64],
        mustVerify: Bool,
        conflictSuffix: String,
        now: Timestamp
    ) {
        self.changedSince = changedSince
        self.cutSince = cutSince
        self.mustVerify = mustVerify
        self.conflictSuffix = conflictSuffix
        self.now = now
    }

    mutating func settle(_ items: [Item], _ db: borrowing Connection) throws {
        try take(items, db)
        try raiseFolders(db)
        if !isAgreed { (raised, left) = ([:], [:]) }
        try correctFolderTimes(db)
    }

    /// Who asks for one of them next needs no database.
    func stageNodes(in tree: LocalTree) {
        for var node in left.values {
            node.answered = max(node.answered, raised[node.inode] ?? 0)
            tree.stage(node)
        }
        for (folder, revision) in raised where left[folder] == nil { tree.stage(answered: revision, of: folder) }
    }

    /// Once for each folder, however much happened in it.
    private func raiseFolders(_ db: borrowing Connection) throws {
        for (folder, revision) in raised.sorted(by: { $0.key < $1.key }) {
            try NodeTable.raiseAnswered(folder, to: revision, in: db)
        }
    }

    private mutating func take(_ items: [Item], _ db: borrowing Connection) throws {
        var acknowledged: Int64?
        for (index, item) in items.enumerated() {
            guard let sequence = item.row.sequence else { continue }
            if case .done = item.outcome {
            } else {
                // What follows looks at folders and changes whatever it needs to.
                try raiseFolders(db)
                isAgreed = false
            }
            switch item.outcome {
            case .done(let revision, let content): try complete(item, revision, content, db)
            case .known: try acceptKnown(item, db)
            case .conflict(let conflict, let current): try resolve(item, conflict, current, db)
            case .denied(let code, let detail): try refuse(item, code, detail, db)
            case .incomplete, .waiting:
                // None of these ran: their numbers are free again.
                try postpone(items[index...], firstSequence: sequence, db)
                return try noteAcknowledged(acknowledged, db)
            }
            acknowledged = sequence
        }
        try noteAcknowledged(acknowledged, db)
    }

    private func noteAcknowledged(_ sequence: Int64?, _ db: borrowing Connection) throws {
        if let sequence { try MetaTable.set(.acknowledged, sequence, in: db) }
    }

    // MARK: Agreement

    private mutating func complete(
        _ item: Item,
        _ revision: Revision,
        _ content: Revision?,
        _ db: borrowing Connection
    ) throws {
        try drop(item.row, db)
        noteFolderTimes(item)
        let subjects = item.row.subjects
        for folder in Set([subjects.parent, subjects.otherParent].compactMap { $0 }) where folder != subjects.node {
            raised[folder] = max(raised[folder] ?? 0, revision)
        }
        guard var node = try NodeTable.find(subjects.node, in: db), node.id == item.operation.mutation.subject else {
            return
        }
        // What others did before this step comes through the feed, in its order: `revision` would hide it.
        if node.revision == 0 { node.revision = revision }
        node.answered = max(node.answered, revision)
        if case .commit(let commit) = item.operation.mutation, let content {
            let least = cutSince[item.row.place] ?? node.attributes.size
            node.content = content
            node.contentSize = min(commit.size, least)
            if least < commit.size {
                // What was cut off meanwhile the region has still: growing again must not bring it back.
                try ContentGenerationTable.noteCut(of: node.inode, content: content, from: commit.size, in: db)
            }
            try clean(item, commit, db)
        }
        try NodeTable.updateNumbers(node, in: db)
        left[node.inode] = node
    }

    private mutating func clean(
        _ item: Item,
        _ commit: Mutation.Commit,
        _ db: borrowing Connection
    ) throws {
        // A commit of an earlier run: what was written since is not known, so everything goes up once more.
        guard let changed = changedSince[item.row.place] else {
            return try Journaling.requireCommit(of: item.row.subjects.node, db)
        }
        let spans = commit.spans.filter { !changed.contains($0.index) }
        for span in spans {
            try ContentTable.fill(span.index, digest: Self.digest(of: span), of: item.row.subjects.node, in: db)
        }
        cleaned[item.row.place] = spans.map(\.index)
    }

    /// What the whole span hashes to, where that costs nothing or little to know.
    private static func digest(of span: Span) -> Digest? {
        switch span.source {
        case .chunk(let digest): digest
        case .inline(let bytes): SHA256.digest(of: bytes)
        case .hole, .split: nil
        }
    }

    /// It ran, and an answer that we have lost said how: ask for the state.
    mutating func acceptKnown(_ item: Item, _ db: borrowing Connection) throws {
        try drop(item.row, db)
        try markStale(item.row.subjects, db)
        // What a lost answer took cannot be told from what was written since.
        try Journaling.requireCommit(of: item.row.subjects.node, db)
    }

    mutating func drop(_ row: JournalTable.Row, _ db: borrowing Connection) throws {
        try JournalTable.delete(place: row.place, in: db)
        settledPlaces.append(row.place)
    }

    /// The row goes out again under a new number, behind what it was waiting for.
    mutating func postpone(_ row: JournalTable.Row, _ db: borrowing Connection) throws {
        if row.kind == .commit {
            // By then its base is another one, and there may be newer bytes: it is made again.
            try JournalTable.replace(place: row.place, row.subjects, body: nil, in: db)
            settledPlaces.append(row.place)
        } else {
            try JournalTable.renumber(place: row.place, in: db)
        }
    }

    private mutating func postpone(
        _ items: ArraySlice<Item>,
        firstSequence: Int64,
        _ db: borrowing Connection
    ) throws {
        for item in items {
            // What was prepared stays prepared, but for the one that lacked something.
            if case .incomplete = item.outcome {
                try postpone(item.row, db)
            } else {
                try JournalTable.renumber(place: item.row.place, in: db)
            }
        }
        try MetaTable.set(.sequence, firstSequence - 1, in: db)
    }

    // MARK: Asking again

    func markStale(_ subjects: JournalTable.Subjects, _ db: borrowing Connection) throws {
        for inode in [subjects.node, subjects.parent, subjects.otherParent, subjects.replaced] {
            if let inode { try markStale(inode, db) }
        }
    }

    func markStale(_ inode: Inode, _ db: borrowing Connection) throws {
        guard var node = try NodeTable.find(inode, in: db), !node.isStale else { return }
        node.isStale = true
        try NodeTable.update(node, in: db)
    }
}
