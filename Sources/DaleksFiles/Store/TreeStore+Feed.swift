import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

extension TreeStore {
    struct FeedPage {
        let changes: [Change]
        let cursor: Cursor
    }

    /// What happened to the owner's tree after the cursor, a page of it.
    func changes(of owner: UserID, after cursor: Cursor) throws(APIError) -> FeedPage {
        _ = try tree(of: owner)
        return try read { db in
            guard let tree = try TreeTable.load(owner: owner, db) else { throw Self.hidden }
            // A cursor of another epoch, from further back than the feed reaches, or from a future that a backup
            // never saw: the reader lists again. Nothing is ever skipped.
            guard cursor.epoch == tree.epoch, cursor.sequence <= tree.sequence, cursor.sequence >= tree.feedFloor else {
                throw APIError(.cursorExpired, "the feed does not reach back to this cursor: list again")
            }
            let changes = try ChangeTable.page(
                of: tree,
                after: cursor.sequence,
                limit: Limits.Wire.changesPageCountMax,
                db
            )
            let last = changes.last?.sequence ?? cursor.sequence
            return FeedPage(changes: changes, cursor: Cursor(epoch: tree.epoch, sequence: last))
        }
    }
}
