import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite

/// Takes what the region says into the replica, inside the caller's transaction, and tells what that changed.
///
/// What is shown is the region's state with our unacknowledged changes on top, so news about a node or folder of which
/// something is pending is not applied: the node is marked stale and asked for again when it has settled.
struct Merger {
    enum Effect: Hashable {
        case attributes(Inode)
        /// The bytes are others now; the node carries what they belong to.
        case content(LocalNode)
        case entry(parent: Inode, name: Name)
        /// The name went away together with what it named.
        case removed(parent: Inode, name: Name, node: Inode)
    }

    private(set) var effects: [Effect] = []

    /// The row for a record, made if it is new here. `isOwn` says that the record tells of a step of ours, of which the
    /// effects are here already; it may bring what others did before.
    mutating func merge(_ record: NodeRecord, isOwn: Bool = false, _ db: borrowing Connection) throws -> LocalNode {
        guard var node = try NodeTable.find(record.id, in: db) else {
            var node = LocalNode(
                inode: Inode(rawValue: 0),
                id: record.id,
                attributes: record.attributes,
                revision: record.revision,
                content: record.content,
                contentSize: record.attributes.size,
                target: record.target,
                extended: record.extended
            )
            node.inode = try NodeTable.insert(node, in: db)
            return node
        }
        // An answer that began before something that is known already says nothing.
        let isNews = record.revision > node.revision || isOwn || node.isStale
        guard isNews, record.revision >= node.revision, record.content >= node.content else { return node }
        if try Self.isUnsettled(node.inode, db) {
            if isOwn { node.revision = record.revision } else { node.isStale = true }
            try NodeTable.update(node, in: db)
            return node
        }
        let before = node
        let isOtherContent = record.content != node.content
        let keepsLinks = node.attributes.kind == .folder && record.revision == node.revision
        let links = node.attributes.links
        node.attributes = record.attributes
        if keepsLinks { node.attributes.links = links }
        node.revision = record.revision
        node.content = record.content
        node.contentSize = record.attributes.size
        node.target = record.target
        node.extended = record.extended
        // A folder stays stale until it has been listed again; for everything else this was the answer.
        if node.attributes.kind != .folder { node.isStale = false }
        try NodeTable.update(node, in: db)
        if isOtherContent, node.attributes.kind == .file {
            try ContentTable.dropClean(of: node.inode, in: db)
            effects.append(.content(node))
        } else if node.attributes != before.attributes || node.extended != before.extended {
            // Our own change that comes back is none: the kernel would forget what it believes for nothing.
            effects.append(.attributes(node.inode))
        }
        return node
    }

    /// Something was done to it here that the region does not know: it must not be changed or lose its name meanwhile.
    private static func isUnsettled(_ inode: Inode, _ db: borrowing Connection) throws -> Bool {
        if try JournalTable.isPending(inode, in: db) { return true }
        return try ContentTable.isDirty(inode, in: db)
    }

    /// A name that now stands for a node, or for nothing.
    mutating func merge(_ entry: Change.Entry, at sequence: Revision, _ db: borrowing Connection) throws {
        guard var folder = try NodeTable.find(entry.parent, in: db), folder.attributes.kind == .folder else { return }
        guard sequence > folder.listed else { return }
        // What we did in the folder since then is here already, and may be newer than this: the region knows.
        if try sequence < folder.revision || JournalTable.isPending(in: folder.inode, in: db) {
            folder.isStale = true
            try NodeTable.update(folder, in: db)
            return
        }
        let standing = try EntryTable.find(entry.name, in: folder.inode, db)
        if let standing, standing.id != entry.node, try Self.isUnsettled(standing.inode, db) {
            // What it names has edits that the region does not know: they must not lose their last name.
            folder.isStale = true
            try NodeTable.update(folder, in: db)
            return
        }
        guard let id = entry.node else {
            guard let standing else { return }
            try EntryTable.delete(entry.name, in: folder.inode, db)
            effects.append(.removed(parent: folder.inode, name: entry.name, node: standing.inode))
            return
        }
        guard let node = try NodeTable.find(id, in: db), standing?.inode != node.inode else { return }
        if standing != nil { try EntryTable.delete(entry.name, in: folder.inode, db) }
        try EntryTable.insert(entry.name, in: folder.inode, node: node.inode, db)
        effects.append(.entry(parent: folder.inode, name: entry.name))
    }

    /// One step of the feed. Our own steps only bring revisions: their effects are here already.
    mutating func merge(_ change: Change, ownDevice: DeviceID, _ db: borrowing Connection) throws {
        if change.device == ownDevice {
            for record in change.nodes where try NodeTable.find(record.id, in: db) != nil {
                _ = try merge(record, isOwn: true, db)
            }
            return
        }
        for record in change.nodes where try isOfInterest(record, change, db) { _ = try merge(record, db) }
        for entry in change.entries { try merge(entry, at: change.sequence, db) }
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

    /// A whole folder as the region listed it; false where that is older than what is here. Names of
    /// which something is pending here stay as they are.
    mutating func merge(
        listing: [EntryRecord],
        of inode: Inode,
        pendingNames: Set<Name>,
        at sequence: Revision,
        _ db: borrowing Connection
    ) throws -> Bool {
        guard let before = try NodeTable.find(inode, in: db) else { return true }
        // Something happened in the folder after the listing began, and is here already: the listing may lack it.
        guard before.revision <= sequence else { return false }
        var isWhole = pendingNames.isEmpty
        var listed: Set<Name> = []
        for record in listing where !pendingNames.contains(record.name) {
            listed.insert(record.name)
            let node = try merge(record.node, db)
            let standing = try EntryTable.find(record.name, in: inode, db)
            guard standing?.inode != node.inode else { continue }
            if let standing {
                guard try !Self.isUnsettled(standing.inode, db) else {
                    isWhole = false
                    continue
                }
                try EntryTable.delete(record.name, in: inode, db)
            }
            try EntryTable.insert(record.name, in: inode, node: node.inode, db)
            // Nobody can have heard of a name in a folder that was not known.
            if standing != nil || before.isComplete { effects.append(.entry(parent: inode, name: record.name)) }
        }
        var position: Int64 = 0
        while true {
            let page = try EntryTable.page(of: inode, after: position, limit: 1_024, db)
            guard let last = page.last else { break }
            position = last.position
            for entry in page where !listed.contains(entry.name) && !pendingNames.contains(entry.name) {
                guard try !Self.isUnsettled(entry.node.inode, db) else {
                    isWhole = false
                    continue
                }
                try EntryTable.delete(entry.name, in: inode, db)
                effects.append(.removed(parent: inode, name: entry.name, node: entry.node.inode))
            }
        }
        guard var folder = try NodeTable.find(inode, in: db) else { return true }
        folder.isComplete = true
        folder.listed = max(folder.listed, sequence)
        folder.isStale = !isWhole
        try NodeTable.update(folder, in: db)
        return true
    }
}
