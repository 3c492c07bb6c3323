import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite

/// The times of folders where the region took our steps in another order than they were done in.
///
/// What happens in a folder is held while a content that it would publish goes up; what gives the folder itself a time,
/// as copying programs do last of all, is not. So the region may do that first, and then count the held step as the
/// folder's latest change.
extension Settlement {
    struct FolderTimes {
        var modified: Timestamp
    }

    /// Call this for what the region has done, in its order.
    mutating func noteFolderTimes(_ item: Item) {
        let subjects = item.row.subjects
        switch item.operation.mutation {
        case .create(let creation): note([subjects.parent], creation.time)
        case .link(_, _, _, let time), .remove(_, _, _, let time): note([subjects.parent], time)
        case .rename(let rename): note([subjects.parent, subjects.otherParent], rename.time)
        case .attributes(let change):
            if let modified = change.modified { folderTimes[subjects.node]?.modified = modified }
        case .extended, .commit: break
        }
    }

    private mutating func note(_ folders: [Inode?], _ time: Timestamp) {
        for case let folder? in folders { folderTimes[folder] = FolderTimes(modified: time) }
    }

    /// Tells the region what a folder's times are here, where nothing that is still to be sent will.
    func correctFolderTimes(_ db: borrowing Connection) throws {
        for (inode, times) in folderTimes.sorted(by: { $0.key < $1.key }) {
            guard let folder = try NodeTable.find(inode, in: db), folder.attributes.modified != times.modified,
                try !JournalTable.isPending(inode, in: db), try !JournalTable.isPending(in: inode, in: db)
            else { continue }
            try Journaling.tellTimes(of: inode, db)
        }
    }
}
