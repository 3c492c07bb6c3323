import DaleksAPI
public import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Open files.
extension LocalTree {
    /// The bytes of a file, until `closeContent`.
    public func openContent(_ inode: Inode) throws(Obstacle) -> FileContent {
        do throws(Errno) { return try contents.use(inode) } catch { throw .errno(error) }
    }

    /// Ends a use. What was written is in the journal when this returns.
    public func closeContent(_ content: FileContent) throws(Obstacle) {
        defer {
            contents.release(content.inode)
            collect(content.inode)
        }
        try saveContent(content)
    }

    /// Puts what was written into the journal: size and time into the tree, and a commit that the uploader will fill.
    /// Called at close, at fsync and after a pause in writing.
    public func saveContent(_ content: FileContent) throws(Obstacle) {
        let pending = content.state.withLock { state -> (size: Int64, modified: Timestamp, isUncommitted: Bool)? in
            guard state.isUnsaved || state.isUncommitted else { return nil }
            defer { (state.isUnsaved, state.isUncommitted) = (false, false) }
            return (state.size, state.modified, state.isUncommitted)
        }
        guard let pending else { return }
        do throws(Obstacle) {
            try database.changing { db in
                guard var node = try NodeTable.find(content.inode, in: db) else { return }
                node.attributes.size = pending.size
                node.attributes.changed = max(node.attributes.changed, pending.modified)
                node.attributes.modified = pending.modified
                try NodeTable.update(node, in: db)
                if pending.isUncommitted, node.attributes.links > 0 { try journalCommit(of: node.inode, db) }
            }
        } catch {
            content.state.withLock { state in
                state.isUnsaved = true
                state.isUncommitted = state.isUncommitted || pending.isUncommitted
            }
            throw error
        }
        grew()
    }

    /// Cuts or extends a file, open or not.
    public func truncate(_ inode: Inode, to size: Int64) throws(Obstacle) -> LocalNode {
        try contents.with(inode) { content throws(Obstacle) in
            if content.live.size != size || size == 0 { try content.truncate(to: size) }
            try database.changing { db in
                try ContentTable.drop(from: FileContent.spanCount(of: size), of: inode, in: db)
                guard var node = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.stale) }
                node.attributes.size = size
                node.contentSize = min(node.contentSize, size)
                try NodeTable.update(node, in: db)
            }
            try saveContent(content)
        }
        return try node(inode)
    }

    /// Power-cut safe: the bytes, then the index and everything in the journal so far.
    public func synchronize(_ content: FileContent) throws(Obstacle) {
        try saveContent(content)
        try raiseBarrier(content.inode)
        do throws(Errno) { try content.synchronize() } catch { throw .errno(error) }
        try synchronizeJournal()
    }

    /// What is done in the file's folder after this is not seen at the region before what the file is now.
    private func raiseBarrier(_ inode: Inode) throws(Obstacle) {
        let isNews = try database.looking { db in try JournalTable.needsBarrier(inode, in: db) }
        if isNews { try database.changing { db in try JournalTable.setBarrier(inode, in: db) } }
    }

    public func synchronizeJournal() throws(Obstacle) {
        do {
            try database.flush()
        } catch {
            throw .errno(.io)
        }
    }

    /// Sees to it that a commit will carry the file as it is now, or later.
    private func journalCommit(of inode: Inode, _ db: borrowing Connection) throws {
        if let place = try JournalTable.openCommit(of: inode, in: db),
            !takenCommits.withLock({ $0.contains(place) })
        {
            return
        }
        try JournalTable.append(.commit, JournalTable.Subjects(node: inode), body: nil, in: db)
    }

    /// After a start that nothing proper preceded: sizes and times of files that were being written are those of their
    /// backing files, every dirty file has a commit in the journal, clean spans are taken from the region again, and
    /// nodes that nobody can reach are gone.
    func recover() throws(Errno) {
        let dirty = try database.writing { db throws -> [Inode] in
            try db.execute("DELETE FROM spans WHERE state = 1")
            return try ContentTable.dirtyNodes(in: db)
        }
        for inode in dirty {
            guard let status = try backingStatus(of: inode) else { continue }
            try database.writing { db throws in
                guard var node = try NodeTable.find(inode, in: db), node.attributes.links > 0 else { return }
                node.attributes.size = max(status.size, 0)
                node.attributes.modified = max(node.attributes.modified, status.modified)
                try NodeTable.update(node, in: db)
                try journalCommit(of: inode, db)
            }
        }
        while true {
            let gone = try database.reading { db throws in try NodeTable.unreachable(limit: 256, in: db) }
            if gone.isEmpty { return }
            for inode in gone { collect(inode) }
        }
    }
}
