import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Erases what users owned whose accounts are gone, once their grace is over, a few rows a transaction, beside the
/// requests of everybody else.
///
/// What others gave to them goes first, and what they gave to others; then the names in their trees, whose nodes,
/// contents and chunks the collector gives up without a further grace; and when nothing is left of a tree, its feed,
/// its devices and the tree itself. Each step asks the database what is left to do, so that an erasure that was broken
/// off goes on, and one that ended does nothing.
struct Eraser: Sendable {
    let store: TreeStore
    /// Wakes those who wait for news of somebody's tree.
    let announce: @Sendable (UserID) -> Void

    private static let limit = Limits.Files.collectedRowCountMax

    func erase(while goesOn: () -> Bool) throws(APIError) {
        let now = store.time.wall
        for owner in try store.read({ db in try ErasureTable.due(at: now, db) }) where goesOn() {
            try erase(owner, while: goesOn)
        }
    }

    private func erase(_ owner: UserID, while goesOn: () -> Bool) throws(APIError) {
        while goesOn(), tell(try store.dropGrants(to: owner, limit: Self.limit)) == Self.limit {}
        while goesOn(), try dropUploads("holder", .id(owner)) == Self.limit {}
        while goesOn(), try dropLinks("issuer", .id(owner)) == Self.limit {}
        while goesOn(), try dropOffers(owner) == Self.limit {}
        guard goesOn() else { return }
        guard let tree = try store.read({ db in try TreeTable.load(owner: owner, db) }) else {
            let now = store.time.wall
            return try store.write { db in try ErasureTable.finish(owner, at: now, db) }
        }
        try empty(tree, while: goesOn)
        guard goesOn(), try isEmpty(tree) else { return }
        for rows in RowsOfTree.allCases {
            while goesOn(), try delete(rows, [.integer(tree.number)]) == Self.limit {}
        }
        guard goesOn() else { return }
        try forget(tree)
        store.logger.notice("what a deleted user owned is erased", ["user": owner])
    }

    private func tell(_ owners: [UserID]) -> Int {
        for owner in Set(owners) { announce(owner) }
        return owners.count
    }

    // MARK: The tree

    /// Nobody sees anything of it when this is done. What it held is due for the collector.
    private func empty(_ tree: TreeState, while goesOn: () -> Bool) throws(APIError) {
        let number = tree.number
        while goesOn(), tell(try store.dropGrants(in: number, limit: Self.limit)) == Self.limit {}
        while goesOn(), try dropLinks("tree", .integer(number)) == Self.limit {}
        while goesOn(), try dropUploads("tree", .integer(number)) == Self.limit {}
        while goesOn(), try purgeTrash(number) == Self.limit {}
        while goesOn(), try dropNames(tree) == Self.limit {}
        for rows in [Due.nodes, .manifests, .chunks] {
            while goesOn(), try hasten(rows, number) == Self.limit {}
        }
    }

    private func purgeTrash(_ number: TreeNumber) throws(APIError) -> Int {
        try store.write { db in
            guard var tree = try TreeTable.lock(number: number, db) else { return 0 }
            let ids = try TrashTable.page(of: number, before: nil, limit: Self.limit, db)
            for id in ids { try TrashTable.purge(id, in: &tree, db) }
            try TreeTable.save(tree, db)
            return ids.count
        }
    }

    /// What lies in the root loses its name, and with it all that lies below.
    private func dropNames(_ tree: TreeState) throws(APIError) -> Int {
        try store.write { db in
            guard var state = try TreeTable.lock(number: tree.number, db), var root = try NodeTable.load(tree.root, db)
            else { return 0 }
            let children = try EntryTable.page(of: tree.root, after: nil, limit: Self.limit, db).rows
            for (name, child) in children {
                try Collector.orphan(child, at: EntryKey(parent: tree.root, name: name), db)
            }
            root.entryCount -= Int64(children.count)
            root.sharing = []
            try NodeTable.save(root, db)
            state.accessVersion += 1
            try TreeTable.save(state, db)
            return children.count
        }
    }

    /// Rows that wait for the end of a grace that nobody is left to use.
    private enum Due { case nodes, manifests, chunks }

    private func hasten(_ rows: Due, _ number: TreeNumber) throws(APIError) -> Int {
        let sql: SQL =
            switch rows {
            case .nodes:
                """
                UPDATE nodes SET removed = 0 WHERE id IN (SELECT id FROM nodes
                    WHERE tree = ?1 AND removed IS NOT NULL AND removed <> 0 AND removed_name IS NULL LIMIT ?2)
                """
            case .manifests:
                """
                UPDATE manifests SET superseded = 0 WHERE (node, content) IN (SELECT node, content FROM manifests
                    WHERE tree = ?1 AND superseded IS NOT NULL AND superseded <> 0 AND version_of IS NULL LIMIT ?2)
                """
            case .chunks:
                """
                UPDATE chunks SET touched = 0 WHERE tree = ?1 AND digest IN (SELECT digest FROM chunks
                    WHERE tree = ?1 AND usage = 0 AND touched <> 0 LIMIT ?2) AND usage = 0
                """
            }
        return try store.write(.normal) { db in
            guard try TreeTable.lock(number: number, db) != nil else { return 0 }
            return try db.execute(sql, [.integer(number), .integer(Self.limit)])
        }
    }

    /// The last question looks at every node of the region, so it comes when the chunks, found by an index, are gone.
    private func isEmpty(_ tree: TreeState) throws(APIError) -> Bool {
        try store.read { db in
            let questions: [SQL] = [
                "SELECT 1 FROM chunks WHERE tree = ?1 LIMIT 1", "SELECT 1 FROM manifests WHERE tree = ?1 LIMIT 1",
            ]
            for question in questions where try db.exists(question, [.integer(tree.number)]) { return false }
            return try !db.exists(
                "SELECT 1 FROM nodes WHERE tree = ?1 AND id <> ?2 LIMIT 1",
                [.integer(tree.number), .id(tree.root)]
            )
        }
    }

    private func forget(_ tree: TreeState) throws(APIError) {
        let now = store.time.wall
        try store.write { db in
            guard try TreeTable.lock(number: tree.number, db) != nil else { return }
            try NodeTable.delete(tree.root, db)
            try db.execute("DELETE FROM trees WHERE number = ?1", [.integer(tree.number)])
            try ErasureTable.finish(tree.owner, at: now, db)
        }
    }

    // MARK: Rows

    private func dropUploads(_ column: StaticString, _ value: Value) throws(APIError) -> Int {
        let now = store.time.wall
        return try store.write(.normal) { db in
            let ids: [UploadID] = try db.query(
                SQL("SELECT id FROM uploads WHERE \(column) = ?1 LIMIT ?2"),
                [value, .integer(Self.limit)]
            ) { try $0.identifier(0) }
            for id in ids {
                guard let upload = try UploadTable.load(id, db) else { continue }
                try UploadTable.release(upload, becoming: nil, at: now, db)
            }
            return ids.count
        }
    }

    private func dropOffers(_ user: UserID) throws(APIError) -> Int {
        try store.write(.normal) { db in try TransferTable.forget(user, limit: Self.limit, db) }
    }

    private func dropLinks(_ column: StaticString, _ value: Value) throws(APIError) -> Int {
        try store.write(.normal) { db in
            let ids = try db.query(
                SQL("SELECT id FROM links WHERE \(column) = ?1 LIMIT ?2"),
                [value, .integer(Self.limit)]
            ) { try $0.blob(0) }
            for id in ids {
                try db.execute("DELETE FROM link_uses WHERE link = ?1", [.blob(id)])
                try db.execute("DELETE FROM links WHERE id = ?1", [.blob(id)])
            }
            return ids.count
        }
    }

    /// What a tree has beside its nodes, in an order in which nothing speaks of what is gone.
    private enum RowsOfTree: CaseIterable { case claims, operations, devices, changes, audit }

    private func delete(_ rows: RowsOfTree, _ values: [Value]) throws(APIError) -> Int {
        let sql: SQL =
            switch rows {
            case .claims:
                """
                DELETE FROM chunk_claims WHERE tree = ?1 AND (digest, claimant) IN
                    (SELECT digest, claimant FROM chunk_claims WHERE tree = ?1 LIMIT ?2)
                """
            case .operations:
                """
                DELETE FROM operations WHERE (device, sequence) IN (SELECT operations.device, operations.sequence
                    FROM devices JOIN operations ON operations.device = devices.number WHERE devices.tree = ?1 LIMIT ?2)
                """
            case .devices:
                "DELETE FROM devices WHERE number IN (SELECT number FROM devices WHERE tree = ?1 LIMIT ?2)"
            case .changes:
                """
                DELETE FROM changes WHERE tree = ?1 AND sequence IN
                    (SELECT sequence FROM changes WHERE tree = ?1 LIMIT ?2)
                """
            case .audit: "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE tree = ?1 LIMIT ?2)"
            }
        return try store.write(.normal) { db in try db.execute(sql, values + [.integer(Self.limit)]) }
    }
}
