import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// What a start does with what the last daemon left.
extension LocalTree {
    /// How the last daemon ended.
    enum Ending {
        /// As it should: everything is saved and durable.
        case stopped
        /// It died, the machine went on: what was written is there, what was noted of it may be behind.
        case killed
        /// The machine died: only what was vouched for is certain.
        case cut
    }

    /// Brings sizes, journal and index to what is certain, and begins to keep them so. Clean bytes of an earlier daemon
    /// that did not stop are hashed before their first use.
    func recover(boot: String, setAside: SetAside) throws(Errno) -> Ending {
        let last = try database.reading { db throws in
            (
                running: try MetaTable.text(.running, in: db), vouched: try MetaTable.integer(.vouched, in: db) ?? 0,
                generation: try ContentGenerationTable.last(in: db)
            )
        }
        let ending: Ending =
            switch last.running {
            case nil, "stopped": .stopped
            case boot: .killed
            default: .cut
            }
        try finishCuts()
        if ending != .stopped {
            contents.distrust(ending)
            if ending == .cut { try reconcile(vouched: last.vouched, setAside) }
            try recoverDirty(ending)
            try store.synchronizeAll()
        }
        contents.noteHandedOver(try database.reading { db throws in try Self.handedOver(db) })
        let vouched = max(last.vouched, last.generation)
        try database.writing { db throws in
            try MetaTable.set(.vouched, vouched, in: db)
            try MetaTable.set(.running, boot, in: db)
        }
        do { try database.flush() } catch { throw Errno(error) }
        contents.barrier.begin(after: vouched)
        return ending
    }

    /// Files that the tables call cut, and whose backing files the daemon did not come to cut.
    private func finishCuts() throws(Errno) {
        let due = try database.reading { db throws in try ContentGenerationTable.cutsDue(in: db) }
        for (inode, size) in due {
            if let status = try backingStatus(of: inode), status.size > size {
                try store.open(inode).truncate(to: size)
            }
            try database.writing { db throws in try ContentGenerationTable.noteCutDone(of: inode, in: db) }
        }
    }

    /// How large files were in those commits that went to the region, or were about to.
    private static func handedOver(_ db: borrowing Connection) throws -> [Inode: Int64] {
        var sizes: [Inode: Int64] = [:]
        for row in try JournalTable.preparedCommits(in: db) {
            guard case .commit(let commit) = try Journaling.operation(of: row).mutation else { continue }
            sizes[row.subjects.node, default: 0] = max(sizes[row.subjects.node, default: 0], commit.size)
        }
        return sizes
    }

    /// Everything is saved: makes it durable and says so.
    func noteStopped() throws(Errno) {
        removeRemains(isForced: true)
        // What could not be saved yet is saved now, or the next start has to look for it.
        for content in contents.allLoaded {
            do throws(Obstacle) { try saveContent(content) } catch {
                if case .errno(let errno) = error { throw errno }
                throw .io
            }
        }
        try contents.barrier.flush()
        try database.writing { db throws in try MetaTable.set(.running, "stopped", in: db) }
        do { try database.flush() } catch { throw Errno(error) }
    }

    /// Files that were being written have the size and the time of their backing files, and a commit in the journal.
    private func recoverDirty(_ ending: Ending) throws(Errno) {
        let dirty = try database.reading { db throws in try ContentTable.dirtyNodes(in: db) }
        for inode in dirty {
            guard let status = try backingStatus(of: inode) else { continue }
            try database.writing { db throws in
                guard var node = try NodeTable.find(inode, in: db), node.attributes.links > 0 else { return }
                var size = max(status.size, 0)
                if ending == .cut { size = min(size, max(node.attributes.size, try Self.dirtyEnd(of: inode, db))) }
                node.attributes.size = size
                // The daemon may have died when the bytes were cut and the tables did not know it.
                try Self.tell(cut: size, of: &node, db)
                node.attributes.modified = max(node.attributes.modified, status.modified)
                try NodeTable.update(node, in: db)
                try journalCommit(of: inode, db)
            }
        }
    }

    /// Where the last dirty span ends: no byte that was written here lies behind it.
    private static func dirtyEnd(of inode: Inode, _ db: borrowing Connection) throws -> Int64 {
        let last = try ContentTable.states(of: inode, in: db).last { $0.state == .dirty }
        return last.map { Int64($0.span + 1) * Int64(Limits.spanBytes) } ?? 0
    }

    /// Lets go of nodes that nobody can reach, and of backing files that no node has. Slow; for a thread of its own.
    func sweep() throws {
        var last = Inode.root
        while true {
            let after = last
            let gone = try database.readingLong { db throws in
                try NodeTable.unreachable(after: after, limit: 256, in: db)
            }
            guard let end = gone.last else { break }
            // Some of them stay: they are open, or the journal still wants them.
            for start in stride(from: 0, to: gone.count, by: Self.departureCountMax) {
                seeOff(Array(gone[start..<min(start + Self.departureCountMax, gone.count)]))
            }
            last = end
        }
        let newest = try database.reading { db throws in try NodeTable.newest(in: db) }
        try store.forEach { inode in
            guard inode <= newest else { return }
            let isKnown = try database.reading { db throws in try NodeTable.exists(inode, in: db) }
            // The node may have gone a moment ago, which a power cut could undo.
            if !isKnown { removeOnceDurable([inode]) }
        }
        removeRemains(isForced: true)
    }
}
