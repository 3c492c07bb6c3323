import DaleksAPI
import DaleksCache
import DaleksSQLite

/// The furthest place of the tree's feed of which anything is known here, whether by the feed or by an answer. A region
/// that is not there came back from a backup.
enum SeenCursor {
    static func find(_ db: borrowing Connection) throws -> Cursor? {
        guard var cursor = try MetaTable.text(.cursor, in: db).flatMap({ Cursor($0) }) else { return nil }
        if let seen = try MetaTable.text(.seen, in: db).flatMap({ Cursor($0) }), seen.epoch == cursor.epoch {
            cursor.sequence = max(cursor.sequence, seen.sequence)
        }
        return cursor
    }

    static func note(_ text: String, _ db: borrowing Connection) throws {
        guard let cursor = Cursor(text), let known = try find(db), cursor.epoch == known.epoch,
            cursor.sequence > known.sequence
        else { return }
        try MetaTable.set(.seen, text, in: db)
    }
}
