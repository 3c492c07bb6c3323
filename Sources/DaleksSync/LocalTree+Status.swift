public import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

extension LocalTree {
    /// Where a node's newest state is. The raw values are what users read.
    public enum Status: String, Sendable {
        /// Here and at the region alike.
        case synced
        /// Changed here; the region does not know yet.
        case pending
        /// Known here, its bytes (or entries) are at the region only.
        case remote
    }

    public func status(of inode: Inode) throws(Obstacle) -> Status {
        try database.looking { db in
            guard let node = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.stale) }
            if try JournalTable.isPending(inode, in: db) { return .pending }
            if try ContentTable.isDirty(inode, in: db) { return .pending }
            switch node.attributes.kind {
            case .folder: return node.isComplete ? .synced : .remote
            case .file:
                let known = try ContentTable.states(of: inode, in: db).count
                return known == 0 && node.contentSize > 0 ? .remote : .synced
            case .symlink, .fifo, .socket, .characterDevice, .blockDevice: return .synced
            }
        }
    }

    /// Tells that a name went: what nobody can reach any more is let go.
    public func letGo(of inode: Inode) { collect(inode) }
}
