import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Takes a batch's answers into the replica, in one transaction. See docs/conflicts.md for what happens where the
/// region did not agree.
struct Settlement {
    struct Item {
        var row: JournalTable.Row
        var operation: Operation
        var outcome: OperationResult.Outcome
    }

    /// Which spans of a commit were written again since its instant; nil where this daemon did not make the commit.
    let changedSince: [Int64: Set<Int>]
    /// And the least size that the file has had since then.
    let cutSince: [Int64: Int64]
    let conflictSuffix: String
    let now: Timestamp

    /// Rows that are done with, for letting go of their snapshots.
    private(set) var settledPlaces: [Int64] = []
    /// Spans that became clean, by row.
    private(set) var cleaned: [Int64: [Int]] = [:]
    /// What a person should hear of.
    private(set) var reports: [Report] = []
    /// Names that changed here because of a conflict.
    private(set) var renamed: [(parent: Inode, name: Name)] = []
    /// Commits of which the bytes became a file of their own.
    private(set) var ownCopies: Set<Int64> = []
    private var remade: Set<Inode> = []

    struct Report {
        var message: StaticString
        var node: Inode
        var detail: String
    }

    init(
        changedSince: [Int64: Set<Int>],
        cutSince: [Int64: Int64],
        conflictSuffix: String,
        now: Timestamp
    ) {
        self.changedSince = changedSince
        self.cutSince = cutSince
        self.conflictSuffix = conflictSuffix
        self.now = now
    }

    mutating func settle(_ items: [Item], _ db: borrowing Connection) throws {
        for (index, item) in items.enumerated() {
            guard let sequence = item.row.sequence else { continue }
            switch item.outcome {
            case .done(let revision, let content): try complete(item, revision, content, db)
            case .known: try acceptKnown(item, db)
            case .conflict(let conflict, let current): try resolve(item, conflict, current, db)
            case .denied(let code, let detail):
                reports.append(
                    Report(
                        message: "the region refused a change",
                        node: item.row.subjects.node,
                        detail: "\(code): \(detail)"
                    )
                )
                try giveUp(item, db)
            case .incomplete, .waiting:
                // None of these ran: their numbers are free again.
                try postpone(items[index...], firstSequence: sequence, db)
                return
            }
            try MetaTable.set(.acknowledged, sequence, in: db)
        }
    }

    // MARK: Agreement

    private mutating func complete(
        _ item: Item,
        _ revision: Revision,
        _ content: Revision?,
        _ db: borrowing Connection
    ) throws {
        try drop(item.row, db)
        for folder in [item.row.subjects.parent, item.row.subjects.otherParent] {
            if let folder { try raise(folder, to: revision, db) }
        }
        guard var node = try NodeTable.find(item.row.subjects.node, in: db) else { return }
        // A known node's revision comes through the feed, in its order: raised here, it would hide what others did
        // before this and we have not heard of yet.
        if node.revision == 0 { node.revision = revision }
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
        try NodeTable.update(node, in: db)
    }

    /// The operation changed its folders too: a listing from before it is no longer one.
    private func raise(_ folder: Inode, to revision: Revision, _ db: borrowing Connection) throws {
        guard var node = try NodeTable.find(folder, in: db), node.revision < revision else { return }
        node.revision = revision
        try NodeTable.update(node, in: db)
    }

    private mutating func clean(
        _ item: Item,
        _ commit: Mutation.Commit,
        _ db: borrowing Connection
    ) throws {
        // A commit of an earlier run: what was written since is not known, so everything goes up once more.
        guard let changed = changedSince[item.row.place] else { return }
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
    private mutating func acceptKnown(_ item: Item, _ db: borrowing Connection) throws {
        try drop(item.row, db)
        try markStale(item.row.subjects.node, db)
    }

    private mutating func drop(_ row: JournalTable.Row, _ db: borrowing Connection) throws {
        try JournalTable.delete(place: row.place, in: db)
        settledPlaces.append(row.place)
    }

    private mutating func postpone(
        _ items: ArraySlice<Item>,
        firstSequence: Int64,
        _ db: borrowing Connection
    ) throws {
        for item in items {
            if case .incomplete = item.outcome {
                // What was uploaded is not there any more: read and upload it again.
                try JournalTable.replace(place: item.row.place, item.row.subjects, body: nil, in: db)
                settledPlaces.append(item.row.place)
            } else {
                try JournalTable.renumber(place: item.row.place, in: db)
            }
        }
        try MetaTable.set(.sequence, firstSequence - 1, in: db)
    }

    // MARK: Disagreement

    private mutating func resolve(
        _ item: Item,
        _ conflict: OperationResult.Conflict,
        _ current: NodeRecord?,
        _ db: borrowing Connection
    ) throws {
        let subjects = item.row.subjects
        let concerned = [subjects.node, subjects.parent, subjects.otherParent].compactMap { $0 }
        if conflict == .missing, concerned.contains(where: remade.contains) {
            // It came after something that is made anew, and goes out again behind that.
            try JournalTable.renumber(place: item.row.place, in: db)
            return
        }
        switch item.operation.mutation {
        case .create(let creation):
            if current?.id == creation.node { return try acceptKnown(item, db) }
            try remake(item, creation, db)
        case .commit: try keepAsOwn(item, isDeletedThere: conflict == .missing, db)
        case .remove where conflict == .missing: try drop(item.row, db)
        case .attributes where conflict == .missing: try drop(item.row, db)
        case .remove, .attributes, .link, .rename:
            reports.append(
                Report(
                    message: "a change did not fit what another machine did",
                    node: subjects.node,
                    detail: "\(item.operation.mutation.word): \(conflict.rawValue)"
                )
            )
            try giveUp(item, db)
        }
    }

    /// Drops the operation and takes the region's state instead.
    private mutating func giveUp(_ item: Item, _ db: borrowing Connection) throws {
        try drop(item.row, db)
        let subjects = item.row.subjects
        for inode in [subjects.node, subjects.parent, subjects.otherParent, subjects.replaced] {
            if let inode { try markStale(inode, db) }
        }
    }

    /// Somebody else made that name first, or the folder is gone: ours gets another name, or a place at the root.
    private mutating func remake(
        _ item: Item,
        _ creation: Mutation.Creation,
        _ db: borrowing Connection
    ) throws {
        let inode = item.row.subjects.node
        guard let place = try EntryTable.places(of: inode, db).first else { return try giveUp(item, db) }
        let folder = try NodeTable.find(place.parent, in: db)
        let parent = folder?.id == creation.parent && folder?.revision ?? 0 > 0 ? place.parent : .root
        let name = try freeName(like: place.name, in: parent, db)
        try EntryTable.delete(place.name, in: place.parent, db)
        try EntryTable.insert(name, in: parent, node: inode, db)
        try markStale(place.parent, db)
        renamed += [(place.parent, place.name), (parent, name)]
        guard let home = try NodeTable.find(parent, in: db) else { return try giveUp(item, db) }
        var anew = creation
        anew.parent = home.id
        anew.name = name
        try JournalTable.replace(
            place: item.row.place,
            JournalTable.Subjects(node: inode, parent: parent),
            body: Operation(sequence: 1, mutation: .create(anew)).jsonBytes,
            in: db
        )
        remade.insert(inode)
        reports.append(Report(message: "kept both files of one name", node: inode, detail: "\(name)"))
    }

    /// Our bytes do not build on what the region has: they become a file of their own.
    private mutating func keepAsOwn(
        _ item: Item,
        isDeletedThere: Bool,
        _ db: borrowing Connection
    ) throws {
        let inode = item.row.subjects.node
        try drop(item.row, db)
        guard try hasAllBytes(inode, db) else {
            // A copy would have holes where bytes were never fetched. What was written stays here, shown and unsent.
            let detail = "the region has another content; save the file under a new name to send it"
            reports.append(Report(message: "edits are kept on this machine only", node: inode, detail: detail))
            return
        }
        guard var node = try NodeTable.find(inode, in: db), let place = try EntryTable.places(of: inode, db).first,
            let folder = try NodeTable.find(place.parent, in: db)
        else { return }
        let name = isDeletedThere ? place.name : try freeName(like: place.name, in: place.parent, db)
        if name != place.name {
            try EntryTable.delete(place.name, in: place.parent, db)
            try EntryTable.insert(name, in: place.parent, node: inode, db)
            renamed += [(place.parent, place.name), (place.parent, name)]
        }
        ownCopies.insert(item.row.place)
        node.id = .random(at: now)
        (node.revision, node.content, node.contentSize, node.isStale) = (0, 0, 0, false)
        try NodeTable.update(node, in: db)
        try JournalTable.deleteUnsent(of: inode, in: db)
        // Every byte is here, and ours to send now.
        try ContentTable.dirtyAll(of: inode, in: db)
        let creation = Mutation.Creation(
            parent: folder.id,
            name: name,
            node: node.id,
            kind: .file,
            mode: node.attributes.mode,
            uid: node.attributes.uid,
            gid: node.attributes.gid,
            time: node.attributes.changed
        )
        try JournalTable.append(
            .metadata,
            JournalTable.Subjects(node: inode, parent: place.parent),
            body: Operation(sequence: 1, mutation: .create(creation)).jsonBytes,
            in: db
        )
        try JournalTable.append(.commit, JournalTable.Subjects(node: inode), body: nil, in: db)
        try markStale(place.parent, db)
        reports.append(Report(message: "kept both contents of a file", node: inode, detail: "\(name)"))
    }

    /// Whether nothing of the file would have to come from the region.
    private func hasAllBytes(_ inode: Inode, _ db: borrowing Connection) throws -> Bool {
        guard let node = try NodeTable.find(inode, in: db) else { return true }
        let known = Set(try ContentTable.states(of: inode, in: db).map(\.span))
        let remoteBytes = min(node.contentSize, node.attributes.size)
        return (0..<FileContent.spanCount(of: remoteBytes)).allSatisfy(known.contains)
    }

    private func markStale(_ inode: Inode, _ db: borrowing Connection) throws {
        guard var node = try NodeTable.find(inode, in: db) else { return }
        node.isStale = true
        try NodeTable.update(node, in: db)
    }

    private func freeName(like name: Name, in parent: Inode, _ db: borrowing Connection) throws -> Name {
        for attempt in 0..<1_000 {
            let candidate = ConflictName.make(from: name, suffix: conflictSuffix, attempt: attempt)
            if try EntryTable.find(candidate, in: parent, db) == nil { return candidate }
        }
        throw SQLiteError(.corrupt, "a thousand conflict names of one file are taken", sql: "entries")
    }
}
