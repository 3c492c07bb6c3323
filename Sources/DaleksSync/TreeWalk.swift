import DaleksCache
import DaleksCore
import DaleksSQLite

/// What comes after a place in a tree, for programs that list a folder and go into each folder where it stands, as
/// `find`, `grep -r` and `tar` do.
enum TreeWalk {
    /// Behind which entry of a folder.
    struct Place: Hashable, Sendable {
        var folder: Inode
        /// Smaller than any where it is before the first.
        var position: Int64

        /// Before everything that is in a folder.
        static func beginning(of folder: Inode) -> Place { Place(folder: folder, position: -1) }

        /// Where a node stands first; nil for the root, and for what has no name.
        static func of(_ node: Inode, _ db: borrowing Connection) throws -> Place? {
            try EntryTable.firstPlace(of: node, db).map { Place(folder: $0.parent, position: $0.position) }
        }
    }

    private static let pageCount = 64

    /// Shows what comes after `place`, at most so many entries, until `visit` answers false. Goes into folders that are
    /// known whole, and up again.
    static func follow(
        _ place: Place,
        countMax: Int,
        _ db: borrowing Connection,
        _ visit: (LocalEntry, Place) throws -> Bool
    ) throws {
        var (place, left) = (place, countMax)
        while left > 0 {
            let page = try EntryTable.page(of: place.folder, after: place.position, limit: min(pageCount, left), db)
            guard !page.isEmpty else {
                guard let above = try Place.of(place.folder, db) else { return }
                place = above
                left -= 1
                continue
            }
            for entry in page {
                left -= 1
                place.position = entry.position
                guard try visit(entry, place) else { return }
                guard entry.node.attributes.kind == .folder, entry.node.isComplete else { continue }
                place = .beginning(of: entry.node.inode)
                break
            }
        }
    }
}
