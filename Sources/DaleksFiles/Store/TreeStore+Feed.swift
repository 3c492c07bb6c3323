import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

extension TreeStore {
    struct FeedPage {
        /// In another's tree, without what the caller may not see: there may be none although the cursor moved.
        let changes: [Change]
        let cursor: Cursor
    }

    func changes(of owner: UserID, after cursor: Cursor) throws(APIError) -> FeedPage {
        try changes(of: owner, after: cursor, for: owner)
    }

    /// What happened to a tree after the cursor, a page of it, as far as the caller may see it now. An owner's device
    /// is told in short of what it did itself.
    func changes(
        of owner: UserID,
        after cursor: Cursor,
        for caller: UserID,
        by device: DeviceID? = nil
    ) throws(APIError) -> FeedPage {
        let now = time.wall
        if owner == caller {
            let tree = try tree(of: owner)
            if tree.isBehind(cursor, at: now) { try noteUnannouncedReturn(of: tree.number, from: cursor) }
        }
        return try read { db in
            guard let tree = try TreeTable.load(owner: owner, db) else { throw Self.hidden }
            guard try owner == caller || GrantTable.hasGrants(caller, in: tree.number, at: now, db) else {
                throw Self.hidden
            }
            // A cursor of another epoch, from further back than the feed reaches, or from a future that a backup
            // never saw: the reader lists again. Nothing is ever skipped.
            guard cursor.epoch == tree.epoch, cursor.sequence <= tree.sequence, cursor.sequence >= tree.feedFloor else {
                throw Self.expired
            }
            let limit = Limits.Wire.changesPageCountMax
            var changes = try ChangeTable.page(of: tree, after: cursor.sequence, limit: limit, db)
            var end = Cursor(epoch: tree.epoch, sequence: changes.last?.sequence ?? cursor.sequence)
            guard owner != caller else {
                return FeedPage(changes: device.map { Change.inShort(changes, for: $0) } ?? changes, cursor: end)
            }
            let question = AccessTable.Question(tree: tree, caller: caller, now: now, cache: access)
            var filter = FeedFilter(question)
            var seen = try changes.compactMap { try filter.visible($0, db) }
            // A page of which nothing may be seen is not the end: behind it may be what the reader waits for.
            while seen.isEmpty, changes.count == limit {
                changes = try ChangeTable.page(of: tree, after: end.sequence, limit: limit, db)
                end.sequence = changes.last?.sequence ?? end.sequence
                seen = try changes.compactMap { try filter.visible($0, db) }
            }
            return FeedPage(changes: seen, cursor: end)
        }
    }
}

/// Takes from another's changes what the reader may not see at this moment.
///
/// Nothing is told from before the reader was let in, wherever his cursor is, nor of what was removed by then. What is
/// only public has no such beginning and is not followed.
///
/// Rights are those of now, not of then: what has left the reader's sight is told as gone wherever it appears, what has
/// come into it appears with the change that brought it there, and a change before that speaks of what the reader does
/// not know yet, which is harmless.
struct FeedFilter {
    private let question: AccessTable.Question
    private struct Sight {
        let rights: Rights
        /// The first change that the reader may hear of.
        let since: Revision
    }

    /// Nodes of this page that were looked up; nil where the reader may not see them.
    private var sights: [NodeID: Sight?] = [:]

    init(_ question: AccessTable.Question) { self.question = question }

    /// Nil where nothing is left.
    mutating func visible(_ change: Change, _ db: borrowing StoreConnection) throws -> Change? {
        var seen = change
        seen.nodes = []
        seen.entries = []
        // Shares concern the owner of the tree alone.
        seen.shares = []
        for node in change.nodes {
            guard let rights = try rights(on: node.id, at: change.sequence, db) else { continue }
            var node = node
            node.rights = rights
            seen.nodes.append(node)
        }
        for entry in change.entries {
            guard try rights(on: entry.parent, at: change.sequence, db) != nil else { continue }
            var entry = entry
            if let node = entry.node, try rights(on: node, at: change.sequence, db) == nil { entry.node = nil }
            seen.entries.append(entry)
        }
        return seen.nodes.isEmpty && seen.entries.isEmpty ? nil : seen
    }

    private mutating func rights(
        on id: NodeID,
        at sequence: Revision,
        _ db: borrowing StoreConnection
    ) throws -> Rights? {
        let sight: Sight?
        if let known = sights[id] { sight = known } else { sight = try self.sight(of: id, db) }
        sights[id] = .some(sight)
        return sight.flatMap { $0.since <= sequence ? $0.rights : nil }
    }

    private func sight(of id: NodeID, _ db: borrowing StoreConnection) throws -> Sight? {
        guard let node = try NodeTable.load(id, db), node.tree == question.tree.number else { return nil }
        let standing = try AccessTable.standing(of: node, question, db)
        guard standing.access.decide(.see) == .allowed, standing.isOpen(at: question.now),
            let since = standing.readable?.sequence
        else { return nil }
        return Sight(rights: standing.access.rights, since: since)
    }
}
