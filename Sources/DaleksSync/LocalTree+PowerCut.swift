import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import Glibc

/// After a power cut: the log may speak of bytes that never reached the disk. What is not vouched for is put aside, the
/// file goes back to what is certain, and nothing of it is uploaded.
extension LocalTree {
    func reconcile(vouched: Int64, _ setAside: SetAside) throws(Errno) {
        let nodes = try database.reading { db throws in
            try ContentGenerationTable.doubtfulNodes(vouched: vouched, in: db)
        }
        var lost: Set<Inode> = []
        for inode in nodes where try reconcile(inode, vouched, setAside) { lost.insert(inode) }
        if !lost.isEmpty { try undoReplacements(by: lost) }
    }

    /// True where bytes of the file were lost.
    private func reconcile(_ inode: Inode, _ vouched: Int64, _ setAside: SetAside) throws(Errno) -> Bool {
        let found = try database.reading { db throws -> (node: LocalNode, lost: [Int], kept: Int64?, sent: Int64?)? in
            guard let node = try NodeTable.find(inode, in: db) else { return nil }
            var lost = try ContentGenerationTable.doubtful(of: inode, vouched: vouched, in: db)
            // What an upload has read already, the region has as it was.
            let sent = try Self.uploads(of: inode, db).last
            if let sent { lost.removeAll { span in sent.spans.contains { $0.index == span } } }
            let kept = try ContentGenerationTable.keptSize(of: inode, vouched: vouched, in: db)
            return (node, lost, kept, sent?.size)
        }
        guard let found else { return false }
        let backing = try store.open(inode)
        let size = Int64(try backing.status().st_size)
        let isLost = !found.lost.isEmpty
        if isLost, try backing.nextData(from: 0) != nil {
            try setAside.keep(backing, size: size, of: inode, found.node.id)
        }
        let certain = try database.writing { db throws -> Int64 in
            guard var node = try NodeTable.find(inode, in: db) else { return size }
            try ContentTable.drop(
                spans: try ContentGenerationTable.doubtful(of: inode, vouched: vouched, in: db),
                of: inode,
                in: db
            )
            let dirtyEnd =
                try ContentTable.states(of: inode, in: db).last { $0.state == .dirty }
                .map { Int64($0.span + 1) * Int64(Limits.spanBytes) } ?? 0
            var certain = node.attributes.size
            if isLost { certain = min(certain, max(found.kept ?? certain, min(size, dirtyEnd))) }
            // The region will have what was sent, under the size that was sent with it.
            if let sent = found.sent { certain = max(certain, sent) }
            node.attributes.size = certain
            node.contentSize = min(node.contentSize, certain)
            try NodeTable.update(node, in: db)
            return certain
        }
        for span in found.lost {
            let start = Int64(span) * Int64(Limits.spanBytes)
            try backing.punchHole(start..<start + Int64(Limits.spanBytes))
        }
        if size > certain { try backing.truncate(to: certain) }
        return isLost
    }

    /// Commits of a file whose content went up before the cut.
    private static func uploads(of inode: Inode, _ db: borrowing Connection) throws -> [Mutation.Commit] {
        try JournalTable.rows(about: inode, in: db).compactMap { row in
            guard row.kind == .commit, row.body != nil else { return nil }
            guard case .commit(let commit) = try Journaling.operation(of: row).mutation else { return nil }
            return commit
        }
    }

    /// A file that replaced another and lost its bytes gives the name back: the old one or the new, never an empty one.
    private func undoReplacements(by lost: Set<Inode>) throws(Errno) {
        try database.writing { db throws in
            for inode in lost {
                for row in try JournalTable.rows(about: inode, in: db).reversed() {
                    guard row.sequence == nil, row.kind == .metadata, let replaced = row.subjects.replaced else {
                        continue
                    }
                    guard case .rename(let rename) = try Journaling.operation(of: row).mutation, !rename.isExchange
                    else {
                        continue
                    }
                    try self.undo(rename, row, replaced, db)
                }
            }
        }
    }

    private func undo(
        _ rename: Mutation.Rename,
        _ row: JournalTable.Row,
        _ replaced: Inode,
        _ db: borrowing Connection
    ) throws {
        guard let from = row.subjects.parent, let to = row.subjects.otherParent,
            try EntryTable.find(rename.toName, in: to, db)?.inode == row.subjects.node,
            var old = try NodeTable.find(replaced, in: db), old.attributes.kind == .file
        else { return }
        try EntryTable.delete(rename.toName, in: to, db)
        try EntryTable.insert(rename.toName, in: to, node: replaced, db)
        old.attributes.links += 1
        try NodeTable.update(old, in: db)
        if try EntryTable.find(rename.name, in: from, db) == nil {
            try EntryTable.insert(rename.name, in: from, node: row.subjects.node, db)
        }
        try JournalTable.delete(place: row.place, in: db)
        if try ContentTable.isDirty(replaced, in: db) { try journalCommit(of: replaced, db) }
    }
}
