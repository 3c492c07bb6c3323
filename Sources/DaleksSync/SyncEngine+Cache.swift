public import DaleksCache
import DaleksSQLite
public import DaleksSystem

/// What the cache holds, keeps and lets go of.
extension SyncEngine {
    /// A pinned file is never let go of, nor is one in a pinned folder.
    public func pin(_ isPinned: Bool, _ inode: Inode) throws(Errno) {
        try database.writing { db throws in try ContentUseTable.pin(isPinned, inode, in: db) }
    }

    public func isPinned(_ inode: Inode) throws(Errno) -> Bool {
        try database.reading { db throws in try ContentUseTable.isPinned(inode, in: db) }
    }

    /// What the cache holds, counted anew.
    public func cacheFigures() throws(Errno) -> CacheFigures {
        let figures = try database.readingLong { db throws in try ContentTable.figures(in: db) }
        return CacheFigures(
            files: figures.files,
            bytes: figures.bytes,
            unsentBytes: figures.unsentBytes,
            pinnedBytes: figures.pinnedBytes
        )
    }

    /// Lets go of all that the region has and nobody pinned or uses; gives the bytes.
    public func clearCache() throws(Errno) -> Int64 { try keeper.clear() }
}
