import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Puts into the journal what makes the region's state the one that is here, as far as the region forgot it: names in
/// the extension beside this, contents and attributes here. One transaction.
///
/// Nodes keep their ids, so several machines that send the same again do not disagree: who comes second finds it there.
struct ReunionStep {
    let there: Reunion.There
    let setbacks: Setbacks
    /// Of files that are open: what the tables say may be behind.
    let sizes: [Inode: Int64]
    let now: Timestamp

    var effects: [Merger.Effect] = []
    var reports: [Settlement.Report] = []
    /// A file of which every byte here is to be sent, as the tables have it now.
    struct Unsent {
        var node: LocalNode
        /// How far the region's content reaches, where that is further than the file.
        var cutFrom: Int64 = 0
    }
    var unsent: [Inode: Unsent] = [:]
    /// Files that go back to an older content although some bytes of a younger one are here.
    var keptAside: [LocalNode] = []
    /// Nodes that rows which go had taken the place of: nothing may want them any more.
    private(set) var released: Set<Inode> = []

    struct NewRow {
        var kind: JournalTable.Kind
        var subjects: JournalTable.Subjects
        var mutation: Mutation?
        var refusal: (code: String, detail: String)?
    }
    var rows: [NewRow] = []
    /// Times of folders: after all that happens in them.
    var lateRows: [NewRow] = []
    var rowCount: Int { rows.count }

    /// What is known here and in question, and names of it.
    var known: [Inode: LocalNode] = [:]
    var inodes: [NodeID: Inode] = [:]
    var names = ReunionNames()
    var isEmitted: Set<Inode> = []
    var isExchanged: Set<Inode> = []
    /// The region forgot that there was a tree at all, and began another one.
    private var isOtherTree = false
    /// The first number of the region's present life.
    private var resumed = Revision.max
    /// The first number of the life that began when this machine last knew how things stood: it may have slept through
    /// several.
    private var unheard = Revision.max

    init(there: Reunion.There, setbacks: Setbacks, sizes: [Inode: Int64], now: Timestamp) {
        (self.there, self.setbacks, self.sizes, self.now) = (there, setbacks, sizes, now)
    }

    // MARK: What is in question

    /// Nodes that changed after the backup as far as is known here, and what changed places with them since.
    static func inodesInQuestion(
        _ setbacks: Setbacks,
        root: NodeID,
        _ db: borrowing Connection
    ) throws -> Set<Inode> {
        var inodes: Set<Inode> = []
        let isOtherTree = try NodeTable.find(.root, in: db)?.id != root
        if isOtherTree {
            // The region forgot that there was a tree at all.
            inodes.formUnion(try NodeTable.known(between: 0, and: .max, in: db))
        }
        for setback in setbacks.all {
            inodes.formUnion(try NodeTable.known(between: setback.kept, and: setback.resumed, in: db))
        }
        // The region had made these, and nothing more of them is known: perhaps it forgot that.
        inodes.formUnion(try NodeTable.unnumbered(in: db))
        return inodes.isEmpty ? [] : try joined(inodes, setbacks, db)
    }

    /// What is told anew takes its rows out of the journal, so all that those concern is told anew as well.
    private static func joined(
        _ found: Set<Inode>,
        _ setbacks: Setbacks,
        _ db: borrowing Connection
    ) throws -> Set<Inode> {
        var inodes = found
        var rows: [(node: Inode, others: [Inode], isExchange: Bool)] = []
        try forEachRow(db) { row in
            guard row.kind == .metadata else { return }
            let folders = [row.subjects.parent, row.subjects.otherParent].compactMap { $0 }
            switch try Journaling.operation(of: row).mutation {
            case .rename(let rename) where rename.isExchange:
                rows.append((row.subjects.node, folders + [row.subjects.replaced].compactMap { $0 }, true))
            case .rename, .create, .link: rows.append((row.subjects.node, folders, false))
            case .remove, .attributes, .extended, .commit: break
            }
        }
        var last = Set<Inode>()
        while inodes != last {
            last = inodes
            for row in rows {
                let isMet = row.isExchange ? !inodes.isDisjoint(with: [row.node] + row.others.suffix(1)) : false
                if isMet || inodes.contains(row.node) { inodes.formUnion([row.node] + row.others) }
            }
            for inode in last {
                for place in try EntryTable.places(of: inode, db) where !inodes.contains(place.parent) {
                    guard let parent = try NodeTable.find(place.parent, in: db) else { continue }
                    // A listing brings names that the folder's own number does not tell of.
                    if parent.revision == 0 || setbacks.covers(parent.listed) { inodes.insert(place.parent) }
                }
            }
        }
        return inodes
    }

    private static func forEachRow(
        _ db: borrowing Connection,
        _ body: (JournalTable.Row) throws -> Void
    ) throws {
        var place = Int64.min
        while true {
            let page = try JournalTable.page(after: place, limit: 256, in: db)
            guard let last = page.last else { return }
            place = last.place
            for row in page { try body(row) }
        }
    }

    // MARK: The transaction

    /// False, and nothing is changed, where something is in question that the region was not asked about.
    mutating func run(_ record: TreeRecord, _ db: borrowing Connection) throws -> Bool {
        let inQuestion = try Self.inodesInQuestion(setbacks, root: record.root, db)
        for inode in inQuestion {
            guard let node = try NodeTable.find(inode, in: db) else { continue }
            guard there.asked.contains(inode == .root ? record.root : node.id) else { return false }
        }
        resumed = record.setbacks.all.map(\.resumed).max() ?? .max
        let lived = try MetaTable.text(.cursor, in: db).flatMap { Cursor($0) }?.epoch ?? 1
        unheard = record.setbacks.all.map(\.resumed).filter { $0 > lived }.min() ?? resumed
        // What another life numbered says nothing about what is older and what younger in this one.
        if try !isFollowed(record, db) { try NodeTable.distrustAll(withNumbers: true, in: db) }
        for setback in record.setbacks.all {
            try NodeTable.distrustListings(between: setback.kept, and: setback.resumed, in: db)
        }
        for setback in setbacks.all {
            try NodeTable.forgetAnswers(between: setback.kept, and: setback.resumed, in: db)
        }
        for inode in inQuestion {
            guard var node = try NodeTable.find(inode, in: db) else { continue }
            if inode == .root { node.id = record.root }
            known[inode] = node
            inodes[node.id] = inode
        }
        if let root = try NodeTable.find(.root, in: db), root.id != record.root {
            isOtherTree = true
            try Journaling.rename(.root, from: root.id, to: record.root, db)
            if let root = known[.root] { try NodeTable.update(root, in: db) }
        }
        try countAnew(record, db)
        try names.find(of: known, there, db)
        // No place is used again: uploads of rows that go know theirs.
        let first = try JournalTable.page(after: .min, limit: 1, in: db).first?.place
        try withdrawRows(db)
        for inode in try topDown(db) { try emit(inode, db) }
        rows += lateRows
        try insertRows(before: first, db)
        return true
    }

    /// Whether the cursor that is here belongs to a life of the tree that the region remembers.
    private func isFollowed(_ record: TreeRecord, _ db: borrowing Connection) throws -> Bool {
        guard let text = try MetaTable.text(.cursor, in: db), let cursor = Cursor(text) else { return false }
        return cursor.epoch == 1 || record.setbacks.all.contains { $0.resumed == cursor.epoch }
    }

    /// The region may count this device's operations from further back: it is another device from now on. The feed is
    /// read from where the backup ends, or from where this machine was, if that is before it.
    private func countAnew(_ record: TreeRecord, _ db: borrowing Connection) throws {
        try MetaTable.set(.device, "\(DeviceID.random(at: now))", in: db)
        try MetaTable.set(.sequence, 0, in: db)
        try MetaTable.set(.acknowledged, 0, in: db)
        try db.execute("UPDATE journal SET sequence = NULL")
        let old = try MetaTable.text(.cursor, in: db).flatMap { Cursor($0) }?.sequence ?? 0
        let place = record.setbacks.all.filter { $0.covers(old) || $0.kept == old }.map(\.kept).min() ?? old
        try MetaTable.set(.cursor, Cursor(epoch: record.epoch, sequence: place).description, in: db)
        try MetaTable.set(.setbacks, record.setbacks.description, in: db)
    }

    /// What the journal says of these nodes is told anew, from what became of them here. Removals stay: where they no
    /// longer fit they do nothing.
    private mutating func withdrawRows(_ db: borrowing Connection) throws {
        for inode in known.keys where names.places[inode]?.isEmpty == false || inode == .root {
            for row in try JournalTable.rows(about: inode, in: db) {
                if row.kind == .metadata, case .remove = try Journaling.operation(of: row).mutation { continue }
                if let replaced = row.subjects.replaced { released.insert(replaced) }
                try JournalTable.delete(place: row.place, in: db)
            }
        }
    }

    private func topDown(_ db: borrowing Connection) throws -> [Inode] {
        var depths: [Inode: Int] = [:]
        for inode in known.keys {
            var (depth, current) = (0, inode)
            while current != .root, depth < Limits.pathBytesMax {
                guard let place = try EntryTable.places(of: current, db).first else { break }
                (depth, current) = (depth + 1, place.parent)
            }
            depths[inode] = depth
        }
        return known.keys.sorted { (depths[$0, default: 0], $0) < (depths[$1, default: 0], $1) }
    }

    /// In front of everything that was waiting: it builds on this.
    private func insertRows(before first: Int64?, _ db: borrowing Connection) throws {
        for (index, row) in rows.enumerated() {
            let body = row.mutation.map { Operation(sequence: 1, mutation: $0).jsonBytes }
            let place: Int64
            if let first {
                place = first - Int64(rows.count - index)
                try JournalTable.insert(row.kind, row.subjects, body: body, at: place, in: db)
            } else {
                place = try JournalTable.append(row.kind, row.subjects, body: body, in: db)
            }
            guard let refusal = row.refusal else { continue }
            try RefusalTable.set(
                RefusalTable.Refusal(place: place, code: refusal.code, detail: refusal.detail, retryAt: now),
                in: db
            )
        }
    }

    // MARK: Contents

    func size(of node: LocalNode) -> Int64 { sizes[node.inode] ?? node.attributes.size }

    /// Whether nothing of the file would have to come from the region.
    private func isComplete(_ node: LocalNode, _ db: borrowing Connection) throws -> Bool {
        let present = Set(try ContentTable.states(of: node.inode, in: db).map(\.span))
        let remoteBytes = min(node.contentSize, size(of: node))
        return (0..<FileContent.spanCount(of: remoteBytes)).allSatisfy(present.contains)
    }

    /// Which spans a commit of everything lists: those that are here, and as holes those that are not, but for a file
    /// that is nearly all holes.
    static func spansToTell(size: Int64, present: [Int]) -> [Int] {
        let count = FileContent.spanCount(of: size)
        return count <= wholeSpanCountMax ? Array(0..<count) : present
    }

    private static let wholeSpanCountMax = 16_384

    /// Everything of the file is ours to send, over what the region has.
    private mutating func send(_ node: inout LocalNode, over record: NodeRecord?, _ db: borrowing Connection) throws {
        let size = size(of: node)
        if let record {
            // A content of after a return is somebody's who was here first. Ours does not build on it: if it is the
            // same the region says so, else both are kept.
            var cutFrom: Int64 = 0
            if !isYoung(record.content) {
                node.content = record.content
                node.contentSize = min(record.attributes.size, size)
                if record.attributes.size > size {
                    cutFrom = record.attributes.size
                    try ContentGenerationTable.noteCut(
                        of: node.inode,
                        content: record.content,
                        from: record.attributes.size,
                        in: db
                    )
                }
            }
            unsent[node.inode] = Unsent(node: node, cutFrom: cutFrom)
        } else {
            (node.content, node.contentSize) = (0, 0)
            unsent[node.inode] = Unsent(node: node)
        }
        let present = try ContentTable.states(of: node.inode, in: db).map(\.span)
        try ContentTable.mark(
            spans: Self.spansToTell(size: size, present: present),
            of: node.inode,
            generation: 0,
            in: db
        )
        rows.append(NewRow(kind: .commit, subjects: JournalTable.Subjects(node: node.inode)))
    }

    /// Given out after a return that this machine did not know of: what is here is not made from it.
    func isYoung(_ revision: Revision) -> Bool { isOtherTree || revision > unheard }

    /// What it has to wait for another machine to send: its number stays one that the region forgot.
    func keepForgotten(_ node: inout LocalNode) {
        if resumed < .max { node.revision = resumed - 1 }
    }

    private func isForgotten(_ revision: Revision) -> Bool { isOtherTree ? revision > 0 : setbacks.covers(revision) }

    private mutating func report(_ message: StaticString, _ node: LocalNode) {
        let name = names.places[node.inode]?.first.map { "\($0.name)" } ?? ""
        reports.append(Settlement.Report(message: message, node: node.inode, detail: name))
    }

    /// A file that the region does not have at all. False where it cannot be made there.
    mutating func sendNew(_ node: inout LocalNode, _ db: borrowing Connection) throws -> Bool {
        guard node.attributes.kind == .file else { return true }
        guard try isComplete(node, db) else {
            if try ContentTable.isDirty(node.inode, in: db) {
                let refusal = (RefusalTable.Code.goneBase, "the region forgot what this file was made from")
                rows.append(
                    NewRow(kind: .commit, subjects: JournalTable.Subjects(node: node.inode), refusal: refusal)
                )
            }
            // The name stays, and so does what is here: another machine may have all of it.
            report("the region forgot a file of which not everything is here", node)
            return false
        }
        return true
    }

    mutating func commitNew(_ node: inout LocalNode, _ db: borrowing Connection) throws {
        guard node.attributes.kind == .file else { return }
        guard size(of: node) > 0 || node.content != 0 else { return }
        try send(&node, over: nil, db)
    }

    /// A file that the region has, perhaps with an older content.
    mutating func settleContent(of node: inout LocalNode, _ record: NodeRecord, _ db: borrowing Connection) throws {
        guard node.attributes.kind == .file else { return }
        guard isForgotten(node.content) else {
            if try ContentTable.isDirty(node.inode, in: db) {
                rows.append(NewRow(kind: .commit, subjects: JournalTable.Subjects(node: node.inode)))
            }
            return
        }
        if try isComplete(node, db) { return try send(&node, over: record, db) }
        guard try !ContentTable.isDirty(node.inode, in: db) else {
            let refusal = (RefusalTable.Code.otherBase, "the region forgot what this file was made from")
            rows.append(NewRow(kind: .commit, subjects: JournalTable.Subjects(node: node.inode), refusal: refusal))
            return report("edits wait for bytes that the region forgot", node)
        }
        if try !ContentTable.states(of: node.inode, in: db).isEmpty { keptAside.append(node) }
        try ContentTable.dropClean(of: node.inode, in: db)
        let links = node.attributes.links
        node.attributes = record.attributes
        node.attributes.links = links
        (node.content, node.contentSize) = (record.content, record.attributes.size)
        effects.append(.content(node))
        report("a file goes back to what the backup had: its younger content is not on this machine", node)
    }

    // MARK: Attributes

    /// Whoever changed them last, by the node's own time of change.
    mutating func tellAttributes(of node: LocalNode, over record: NodeRecord?) {
        let (mine, theirs) = (node.attributes, record?.attributes)
        if let theirs, theirs.changed >= mine.changed { return }
        let subjects = JournalTable.Subjects(node: node.inode)
        let old = record?.extended ?? ExtendedAttributes()
        for item in node.extended.items where old[item.name] != item.value {
            let change = Mutation.ExtendedChange(node: node.id, name: item.name, value: item.value, time: mine.changed)
            rows.append(NewRow(kind: .metadata, subjects: subjects, mutation: .extended(change)))
        }
        for item in old.items where node.extended[item.name] == nil {
            let change = Mutation.ExtendedChange(node: node.id, name: item.name, value: nil, time: mine.changed)
            rows.append(NewRow(kind: .metadata, subjects: subjects, mutation: .extended(change)))
        }
        if let theirs, theirs.mode == mine.mode, theirs.uid == mine.uid, theirs.gid == mine.gid,
            theirs.accessed == mine.accessed, theirs.modified == mine.modified
        {
            return
        }
        let change = Mutation.AttributeChange(
            node: node.id,
            mode: mine.mode & 0o7777,
            uid: mine.uid,
            gid: mine.gid,
            accessed: mine.accessed,
            modified: mine.modified,
            time: mine.changed
        )
        let row = NewRow(kind: .metadata, subjects: subjects, mutation: .attributes(change))
        if mine.kind == .folder { lateRows.append(row) } else { rows.append(row) }
    }
}
