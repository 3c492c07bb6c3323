import DaleksCore
import DaleksSQLite

/// What somebody is to a node, by what the database says: for reads, which have no draft.
enum AccessTable {
    /// One transaction's questions about one caller in one tree.
    struct Question: Sendable {
        let tree: TreeState
        let caller: UserID
        let now: Timestamp
        let cache: AccessCache

        var isOwner: Bool { tree.owner == caller }
    }

    static func standing(
        of node: StoredNode,
        _ question: Question,
        _ db: borrowing StoreConnection
    ) throws -> Standing {
        if node.isFolder {
            var standing = try standing(ofFolder: node.id, question, db)
            // What is remembered of an empty folder may be from before it went.
            if let removed = node.removed { standing.cutOff(at: removed) }
            return standing
        }
        var standing = Standing()
        standing.access.isOwner = question.isOwner
        if let parent = node.parent, node.attributes.links <= 1 {
            standing.join(try self.standing(ofFolder: parent, question, db))
        } else {
            for key in try EntryTable.parents(of: node.id, db) {
                standing.join(try self.standing(ofFolder: key.parent, question, db))
            }
        }
        if let removed = node.removed { standing.cutOff(at: removed) }
        try addDirect(node.id, node.sharing, to: &standing, question, db)
        standing.access.isCreator = node.creator == question.caller
        return standing
    }

    /// By the cache while nothing that matters changed in the tree; else by walking up.
    static func standing(
        ofFolder id: NodeID,
        _ question: Question,
        _ db: borrowing StoreConnection
    ) throws -> Standing {
        if let known = question.cache.standing(ofFolder: id, question) { return known }
        let standing = try walk(up: id, question, db)
        question.cache.learn(standing, ofFolder: id, question)
        return standing
    }

    private static func walk(up id: NodeID, _ question: Question, _ db: borrowing StoreConnection) throws -> Standing {
        var standing = Standing()
        standing.access.isOwner = question.isOwner
        var next: NodeID? = id
        while let id = next {
            guard let step = try step(id, db), step.tree == question.tree.number else { return standing }
            try addDirect(id, step.sharing, to: &standing, question, db)
            if let removed = step.removed { standing.cutOff(at: removed) }
            if id == question.tree.root {
                standing.isReachable = standing.removed == nil
                return standing
            }
            next = step.parent
        }
        return standing
    }

    private struct Step {
        let tree: TreeNumber
        let parent: NodeID?
        let sharing: Sharing
        let removed: Timestamp?
    }

    private static func step(_ id: NodeID, _ db: borrowing StoreConnection) throws -> Step? {
        try db.withStatement("SELECT tree, parent, sharing, removed FROM nodes WHERE id = ?1") { statement in
            try statement.bind(id, at: 1)
            guard try statement.step() else { return nil }
            return Step(
                tree: try statement.int64(0),
                parent: try statement.optionalIdentifier(1),
                sharing: Sharing(rawValue: UInt8(truncatingIfNeeded: try statement.int64(2))),
                removed: try statement.optionalTimestamp(3)
            )
        }
    }

    private static func addDirect(
        _ id: NodeID,
        _ sharing: Sharing,
        to standing: inout Standing,
        _ question: Question,
        _ db: borrowing StoreConnection
    ) throws {
        guard !question.isOwner, !sharing.isEmpty else { return }
        if sharing.contains(.published) { standing.access.isPublic = true }
        if sharing.contains(.granted) {
            standing.add(try GrantTable.rights(of: question.caller, on: id, at: question.now, db), on: id)
        }
    }
}
