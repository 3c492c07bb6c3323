import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite

/// Takes what the region says into the replica, inside the caller's transaction, and tells what that changed.
///
/// What is shown is the region's state with our unacknowledged changes on top, so news about a node or folder of which
/// something is pending is not applied: the node is marked stale and asked for again when it has settled. A node's
/// `revision` says how far the region's changes are counted in, or marked; `answered`, which steps of ours are. News
/// from before an answered step lacks that step and is never shown.
struct Merger {
    enum Effect: Hashable {
        case attributes(Inode)
        /// The bytes are others now; the node carries what they belong to.
        case content(LocalNode)
        case entry(parent: Inode, name: Name)
        /// The name went away together with what it named.
        case removed(parent: Inode, name: Name, node: Inode)
    }

    /// Where a record comes from.
    enum Origin {
        /// The feed, telling of a step of ours: its effects are here already.
        case own
        /// The feed, telling of somebody else's step.
        case other
        /// An answer to a question: of some moment since it was asked.
        case answer
    }

    /// Files that were written to and of which the tables do not know it yet.
    let unsaved: Set<Inode>
    /// What the region forgot: news from before that is none, and what is known here only is not taken for gone.
    let setbacks: Setbacks
    /// Whose replica it is, where it shows what others share with them.
    let account: UserID?
    var effects: [Effect] = []
    /// Rows made here, of which some may get no name.
    private var inserted: [Inode] = []
    /// What the feed said of nodes that had no row here then.
    private(set) var unheeded: Unheeded
    /// Nodes of which nothing changed but how far their changes are counted in.
    private(set) var raised: [Inode: Revision] = [:]

    init(
        unsaved: Set<Inode> = [],
        unheeded: Unheeded = Unheeded(),
        setbacks: Setbacks = Setbacks(),
        account: UserID? = nil
    ) {
        self.unsaved = unsaved
        self.setbacks = setbacks
        self.account = account
        self.unheeded = unheeded
    }

    // MARK: Nodes

    /// The row for a record, made if it is new here.
    mutating func merge(
        _ record: NodeRecord,
        _ origin: Origin = .answer,
        _ db: borrowing Connection
    ) throws -> LocalNode {
        guard var node = try NodeTable.find(record.id, in: db) else { return try insert(record, db) }
        guard !setbacks.covers(record.revision) else { return node }
        guard record.revision > node.revision || (record.revision == node.revision && node.isStale) else { return node }
        if try isUnsettled(node.inode, db) {
            switch origin {
            // All that others did before it has been counted in or marked.
            case .own: node.revision = record.revision
            case .other where node.attributes.links > 0:
                node.isStale = true
                unheeded.note(record.id, record.revision)
            // Without a name it is nobody's here any more.
            case .other, .answer: return node
            }
            try NodeTable.update(node, in: db)
            return node
        }
        guard record.revision >= node.answered else {
            // Our own step, which is to come, brings everything, unless it finds us at work again.
            if origin == .other {
                node.isStale = true
                unheeded.note(record.id, record.revision)
                try NodeTable.update(node, in: db)
            }
            return node
        }
        return try apply(record, origin, to: node, db)
    }

    private mutating func insert(_ record: NodeRecord, _ db: borrowing Connection) throws -> LocalNode {
        var node = LocalNode(
            inode: Inode(rawValue: 0),
            id: record.id,
            attributes: record.attributes,
            revision: record.revision,
            content: record.content,
            contentSize: record.attributes.size,
            target: record.target,
            // A listing that began before the feed told of it is older than what the feed told.
            isStale: unheeded.isOutdated(record),
            extended: record.extended,
            standing: LocalStanding(record, account)
        )
        node.inode = try NodeTable.insert(node, in: db)
        inserted.append(node.inode)
        return node
    }

    /// Call this last: lets go of what was heard of and got no name, because that has to wait.
    mutating func finish(_ db: borrowing Connection) throws {
        for inode in inserted where try !EntryTable.isNamed(inode, db) { try NodeTable.delete(inode, in: db) }
        inserted = []
    }

    private mutating func apply(
        _ record: NodeRecord,
        _ origin: Origin,
        to known: LocalNode,
        _ db: borrowing Connection
    ) throws -> LocalNode {
        var node = known
        if setbacks.covers(known.revision) {
            // Its names stayed although the region had forgotten it: those that it did not get back go.
            for place in try EntryTable.places(of: known.inode, db) { try markStale(place.parent, db) }
        }
        let isOtherContent = record.content != node.content
        node.attributes = record.attributes
        if node.attributes.kind == .folder, try JournalTable.isPending(in: node.inode, in: db) {
            // What we did in it is newer than what the region counts.
            node.attributes.links = known.attributes.links
            // A step of ours says nothing new: the folder may have been given an older time since.
            let isOwn = origin == .own
            // What others did in it is in its count and not in ours: asked for again once ours is settled.
            if !isOwn { node.isStale = true }
            let (modified, changed) = (node.attributes.modified, node.attributes.changed)
            node.attributes.modified = isOwn ? known.attributes.modified : max(known.attributes.modified, modified)
            node.attributes.changed = isOwn ? known.attributes.changed : max(known.attributes.changed, changed)
        }
        if node.attributes.links == 0, try EntryTable.isNamed(node.inode, db) {
            // It is gone at the region. While it still has a name here it can be worked on, and that must be told.
            node.attributes.links = node.attributes.kind == .folder ? 2 : 1
        }
        node.revision = record.revision
        node.content = record.content
        node.contentSize = record.attributes.size
        node.target = record.target
        node.extended = record.extended
        node.standing = LocalStanding(record, account)
        // A folder stays stale until it has been listed again; for everything else this was the answer.
        if node.attributes.kind != .folder { node.isStale = false }
        guard node != known else { return node }
        try NodeTable.update(node, in: db)
        if isOtherContent, node.attributes.kind == .file {
            try ContentTable.dropClean(of: node.inode, in: db)
            effects.append(.content(node))
        } else if node.attributes != known.attributes || node.target != known.target
            || node.extended != known.extended || node.standing.access != known.standing.access
        {
            // Our own change that comes back is none: the kernel would forget what it believes for nothing.
            effects.append(.attributes(node.inode))
        }
        return node
    }

    /// Something was done to it here that the region does not know: it must not be changed or lose its name meanwhile.
    func isUnsettled(_ inode: Inode, _ db: borrowing Connection) throws -> Bool {
        if unsaved.contains(inode) { return true }
        if try JournalTable.isPending(inode, in: db) { return true }
        // The region still counts the name that a rename of ours gave to another.
        if try JournalTable.isBeingReplaced(inode, in: db) { return true }
        return try ContentTable.isDirty(inode, in: db)
    }

    /// The same of anything in it.
    private func holdsUnsettled(_ node: LocalNode, depth: Int = 0, _ db: borrowing Connection) throws -> Bool {
        if try isUnsettled(node.inode, db) { return true }
        guard node.attributes.kind == .folder else { return false }
        if try JournalTable.isPending(in: node.inode, in: db) { return true }
        guard depth < Self.depthMax else { return false }
        var position: Int64 = 0
        while true {
            let page = try EntryTable.page(of: node.inode, after: position, limit: 256, db)
            guard let last = page.last else { return false }
            position = last.position
            for entry in page where try holdsUnsettled(entry.node, depth: depth + 1, db) { return true }
        }
    }

    /// No path is longer than this many folders.
    private static let depthMax = Limits.pathBytesMax / 2

    private func markStale(_ inode: Inode, _ db: borrowing Connection) throws {
        guard var node = try NodeTable.find(inode, in: db), !node.isStale else { return }
        node.isStale = true
        try NodeTable.update(node, in: db)
    }

    // MARK: Names

    /// A name that now stands for a node, or for nothing.
    mutating func merge(_ entry: Change.Entry, at sequence: Revision, _ db: borrowing Connection) throws {
        guard let folder = try NodeTable.find(entry.parent, in: db), folder.attributes.kind == .folder,
            sequence > folder.listed
        else { return }
        // What we did in the folder since then is here already, and may be newer than this: the region knows.
        if try sequence < folder.answered || JournalTable.isPending(in: folder.inode, in: db) {
            return try markStale(folder.inode, db)
        }
        let standing = try EntryTable.find(entry.name, in: folder.inode, db)
        guard let id = entry.node else {
            guard let standing else { return }
            return try remove(entry.name, standing, from: folder.inode, db)
        }
        // A folder that was never listed will be, as a whole, when somebody looks into it.
        guard folder.isComplete else { return }
        guard let node = try NodeTable.find(id, in: db), standing?.inode != node.inode else { return }
        switch try place(node, as: entry.name, in: folder.inode, over: standing, at: sequence, db) {
        case .placed: effects.append(.entry(parent: folder.inode, name: entry.name))
        case .isElsewhere: break
        case .mustWait: try markStale(folder.inode, db)
        }
    }

    private mutating func remove(
        _ name: Name,
        _ standing: LocalNode,
        from folder: Inode,
        _ db: borrowing Connection
    ) throws {
        // What it names has something that the region does not know: it must not lose its last name.
        if try EntryTable.places(of: standing.inode, db).count < 2, try holdsUnsettled(standing, db) {
            return try markStale(folder, db)
        }
        try EntryTable.delete(name, in: folder, db)
        effects.append(.removed(parent: folder, name: name, node: standing.inode))
    }

    enum Placing {
        case placed
        /// What is known of where it lies is newer.
        case isElsewhere
        /// Something that is pending here stands in the way.
        case mustWait
    }

    /// Gives the node that name, as it was at the region at that sequence.
    mutating func place(
        _ node: LocalNode,
        as name: Name,
        in folder: Inode,
        over standing: LocalNode?,
        at sequence: Revision,
        _ db: borrowing Connection
    ) throws -> Placing {
        if let standing, try holdsUnsettled(standing, db) { return .mustWait }
        if node.attributes.kind == .folder {
            // A move of ours that the region has not judged yet may have put the one into the other.
            if try isInside(folder, node.inode, db) { return .mustWait }
            // A folder has one name, and that is now this one.
            for place in try EntryTable.places(of: node.inode, db) {
                guard try !JournalTable.isPending(in: place.parent, in: db) else { return .mustWait }
                if let home = try NodeTable.find(place.parent, in: db), home.listed >= sequence {
                    // A listing that could not be taken in whole may have left it there only because of work in it.
                    return home.isStale ? .mustWait : .isElsewhere
                }
                try EntryTable.delete(place.name, in: place.parent, db)
                effects.append(.entry(parent: place.parent, name: place.name))
            }
        }
        if standing != nil { try EntryTable.delete(name, in: folder, db) }
        try EntryTable.insert(name, in: folder, node: node.inode, db)
        if let standing { effects.append(.removed(parent: folder, name: name, node: standing.inode)) }
        if node.attributes.links == 0 || node.isStale { try link(node, db) }
        try Journaling.requireCommit(of: node.inode, db)
        return .placed
    }

    /// What the region says of the links of a node may have to wait, but one that has a name has a link: a file without
    /// is nobody's, and what is written to it would stay here.
    private func link(_ node: LocalNode, _ db: borrowing Connection) throws {
        let isFolder = node.attributes.kind == .folder
        let links = isFolder ? 2 : UInt32(clamping: try EntryTable.places(of: node.inode, db).count)
        guard node.attributes.links < links else { return }
        var node = node
        // Where it has none it was removed here, and the region still has it.
        node.isStale = true
        node.attributes.links = links
        try NodeTable.update(node, in: db)
    }

    /// Whether a folder is another or lies in it.
    private func isInside(_ inode: Inode, _ folder: Inode, _ db: borrowing Connection) throws -> Bool {
        var current = inode
        for _ in 0..<Self.depthMax {
            if current == folder { return true }
            guard current != .root, let place = try EntryTable.places(of: current, db).first else { return false }
            current = place.parent
        }
        return true
    }

    // MARK: The feed

    /// One step of the feed. Our own steps only bring revisions: their effects are here already.
    mutating func merge(_ change: Change, ownDevice: DeviceID, _ db: borrowing Connection) throws {
        if change.device == ownDevice {
            for record in change.nodes {
                if try NodeTable.find(record.id, in: db) != nil {
                    _ = try merge(record, .own, db)
                } else {
                    unheeded.note(record.id, record.revision)
                }
            }
            for touch in change.touched { try merge(touch, db) }
            return
        }
        // What was told in short to another that counted under the id that we had.
        for touch in change.touched { try doubt(touch, db) }
        for record in change.nodes {
            if try isOfInterest(record, change, db) {
                _ = try merge(record, .other, db)
            } else {
                unheeded.note(record.id, record.revision)
            }
        }
        // New names first: what moved must not be without any in between.
        for entry in change.entries where entry.node != nil { try merge(entry, at: change.sequence, db) }
        for entry in change.entries where entry.node == nil { try merge(entry, at: change.sequence, db) }
    }

    /// What steps of ours left of a node, without saying what it looks like: as it does here. As `merge` of a record.
    mutating func merge(_ touch: Change.Touch, _ db: borrowing Connection) throws {
        guard let known = try NodeTable.progress(of: touch.node, in: db) else {
            return unheeded.note(touch.node, touch.revision)
        }
        guard !setbacks.covers(touch.revision), touch.revision > known.revision else { return }
        // The last of ours: all that others did before it has been counted in or marked.
        if touch.revision == known.answered {
            raised[known.inode] = touch.revision
            return try NodeTable.raiseRevision(of: known.inode, to: touch.revision, in: db)
        }
        // A later one of ours is to come, and brings this.
        let isBusy = try isUnsettled(known.inode, db) || JournalTable.isPending(in: known.inode, in: db)
        guard isBusy || touch.revision > known.answered else { return }
        try NodeTable.raiseRevision(of: known.inode, to: touch.revision, in: db)
        // Its answer was lost, or it did to this node what no answer told.
        if !isBusy { try markStale(known.inode, db) }
    }

    private mutating func doubt(_ touch: Change.Touch, _ db: borrowing Connection) throws {
        unheeded.note(touch.node, touch.revision)
        guard let known = try NodeTable.progress(of: touch.node, in: db), touch.revision > known.revision else {
            return
        }
        try markStale(known.inode, db)
    }

    /// What we have a row for, or what gets a name in a folder that we know.
    private func isOfInterest(
        _ record: NodeRecord,
        _ change: Change,
        _ db: borrowing Connection
    ) throws -> Bool {
        if try NodeTable.find(record.id, in: db) != nil { return true }
        for entry in change.entries where entry.node == record.id {
            if try NodeTable.find(entry.parent, in: db)?.isComplete == true { return true }
        }
        return false
    }

    // MARK: Listings

    /// A whole folder as the region listed it; false where that is older than what is here. Names of
    /// which something is pending here stay as they are. `asked` is the revision in which the region had the folder
    /// itself, where it was asked before: if it came to be doubted since, it has to be asked again.
    mutating func merge(
        listing: [EntryRecord],
        of inode: Inode,
        pendingNames: Set<Name>,
        asked: Revision?,
        at sequence: Revision,
        _ db: borrowing Connection
    ) throws -> Bool {
        guard let before = try NodeTable.find(inode, in: db) else { return true }
        // Something happened in the folder after the listing began, and is here already: the listing may lack it.
        guard max(before.revision, before.answered) <= sequence, !unheeded.isNewer(before.id, than: sequence) else {
            return false
        }
        var isWhole = pendingNames.isEmpty
        var listed: Set<Name> = []
        for record in listing where !pendingNames.contains(record.name) {
            listed.insert(record.name)
            let node = try merge(record.node, .answer, db)
            let standing = try EntryTable.find(record.name, in: inode, db)
            guard standing?.inode != node.inode else { continue }
            guard try place(node, as: record.name, in: inode, over: standing, at: sequence, db) == .placed else {
                isWhole = false
                continue
            }
            // Nobody can have heard of a name in a folder that was not known.
            if standing != nil || before.isComplete { effects.append(.entry(parent: inode, name: record.name)) }
        }
        if try !removeUnlisted(in: inode, but: listed.union(pendingNames), db) { isWhole = false }
        guard var folder = try NodeTable.find(inode, in: db) else { return true }
        folder.isComplete = true
        folder.listed = max(folder.listed, sequence)
        let isDoubted = folder.isStale && (asked.map { $0 < folder.revision } ?? true)
        folder.isStale = !isWhole || isDoubted
        try NodeTable.update(folder, in: db)
        return true
    }

    private mutating func removeUnlisted(
        in inode: Inode,
        but listed: Set<Name>,
        _ db: borrowing Connection
    ) throws -> Bool {
        var isWhole = true
        var position: Int64 = 0
        while true {
            let page = try EntryTable.page(of: inode, after: position, limit: 1_024, db)
            guard let last = page.last else { return isWhole }
            position = last.position
            for entry in page where !listed.contains(entry.name) {
                // The region forgot it, and not all of it is here to send again: perhaps another machine does.
                if setbacks.covers(entry.node.revision) { continue }
                if try EntryTable.places(of: entry.node.inode, db).count < 2, try holdsUnsettled(entry.node, db) {
                    isWhole = false
                    continue
                }
                try EntryTable.delete(entry.name, in: inode, db)
                effects.append(.removed(parent: inode, name: entry.name, node: entry.node.inode))
            }
        }
    }
}

extension LocalStanding {
    /// As the region tells it to the account.
    init(_ record: NodeRecord, _ account: UserID?) {
        let visibility: Visibility =
            switch record.visibility {
            case .private: .private
            case .shared: .shared
            case .public: .public
            }
        self.init(
            granted: record.rights,
            isCreator: record.rights != nil && record.creator != nil && record.creator == account,
            visibility: visibility
        )
    }
}
