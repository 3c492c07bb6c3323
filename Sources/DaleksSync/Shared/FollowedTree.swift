import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite

/// Which region's tree a node of this replica lies in. A replica shows either the account's own tree, and then knows
/// one cursor, or what others share, and then one for each of them.
enum FollowedTree {
    /// Up to where the feed of the tree was taken in.
    static func cursor(ofTreeWith inode: Inode, _ db: borrowing Connection) throws -> Cursor? {
        if let own = try MetaTable.text(.cursor, in: db) { return Cursor(own) }
        guard let folder = try item(of: inode, db)?.folder else { return nil }
        return try OwnerTable.find(folder: folder, in: db).flatMap { Cursor($0.cursor) }
    }

    /// Where things are put whose own place is gone; there is none among what others share.
    static func haven(in db: borrowing Connection) throws -> Inode? {
        try MetaTable.text(.cursor, in: db) == nil ? nil : .root
    }

    /// The shared item that a node lies in, and its owner's folder.
    static func item(of inode: Inode, _ db: borrowing Connection) throws -> (inode: Inode, folder: Inode)? {
        var current = inode
        for _ in 0..<Limits.pathBytesMax {
            guard current != .root, let place = try EntryTable.places(of: current, db).first else { return nil }
            if try OwnerTable.isFolder(place.parent, in: db) { return (current, place.parent) }
            current = place.parent
        }
        return nil
    }
}
