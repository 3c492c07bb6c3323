import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
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

    /// What the index says of a file and nobody vouched for.
    private struct Doubt {
        var node: LocalNode
        var spans: [Int]
        /// The size that is certain, where the tree's is not.
        var keptSize: Int64?
        /// What was handed to the region before the cut: it has that, or will have it.
        var sent: Mutation.Commit?
    }

    /// True where bytes of the file were lost.
    private func reconcile(_ inode: Inode, _ vouched: Int64, _ setAside: SetAside) throws(Errno) -> Bool {
        let found = try database.reading { db throws -> Doubt? in
            guard let node = try NodeTable.find(inode, in: db) else { return nil }
            return Doubt(
                node: node,
                spans: try ContentGenerationTable.doubtful(of: inode, vouched: vouched, in: db),
                keptSize: try ContentGenerationTable.keptSize(of: inode, vouched: vouched, in: db),
                sent: try Self.uploads(of: inode, db).last
            )
        }
        guard let found else { return false }
        let backing = try store.open(inode)
        let sentSpans = Set(found.sent?.spans.map(\.index) ?? [])
        let lost = found.spans.filter { !sentSpans.contains($0) }
        if !lost.isEmpty, try backing.nextData(from: 0) != nil {
            try setAside.keep(backing, size: Int64(try backing.status().st_size), of: inode, found.node.id)
        }
        // What went up is known to the byte: it is put back where the disk lost it.
        var restored: [Int] = []
        for span in found.sent?.spans ?? [] where found.spans.contains(span.index) {
            if try Self.restore(span, in: backing) { restored.append(span.index) }
        }
        let size = Int64(try backing.status().st_size)
        let dropped = found.spans.filter { !restored.contains($0) }
        let restoredSpans = restored
        let certain = try database.writing { db throws -> Int64 in
            guard var node = try NodeTable.find(inode, in: db) else { return size }
            try ContentTable.drop(spans: dropped, of: inode, in: db)
            try ContentTable.mark(spans: restoredSpans, of: inode, generation: vouched, in: db)
            let dirtyEnd =
                try ContentTable.states(of: inode, in: db).last { $0.state == .dirty }
                .map { Int64($0.span + 1) * Int64(Limits.spanBytes) } ?? 0
            var certain = node.attributes.size
            if let sent = found.sent, !found.spans.isEmpty {
                // Of later writes nothing is certain.
                certain = sent.size
            } else if !lost.isEmpty {
                // What the region has is certain too, whatever was vouched for here before it had that.
                let atRegion = node.content == 0 ? 0 : node.contentSize
                certain = min(certain, max(found.keptSize ?? certain, min(size, dirtyEnd), atRegion))
            } else {
                // Only the size is in doubt, and the backing file knows better: an fsync made it certain there.
                certain = max(certain, min(size, dirtyEnd))
            }
            node.attributes.size = certain
            node.contentSize = min(node.contentSize, certain)
            try NodeTable.update(node, in: db)
            return certain
        }
        for span in dropped {
            let start = Int64(span) * Int64(Limits.spanBytes)
            try backing.punchHole(start..<start + Int64(Limits.spanBytes))
        }
        if size > certain || !found.spans.isEmpty { try backing.truncate(to: certain) }
        return !lost.isEmpty
    }

    /// Sees to it that the span is here as it was sent. False where that is not known here: then it comes from the
    /// region, once that has answered (`FileContent.State.owed`).
    private static func restore(_ span: Span, in backing: borrowing FileDescriptor) throws(Errno) -> Bool {
        let start = Int64(span.index) * Int64(Limits.spanBytes)
        switch span.source {
        case .inline(let bytes): try backing.writeAll(bytes, at: start)
        case .hole: try backing.punchHole(start..<start + Int64(Limits.spanBytes))
        case .chunk(let digest):
            guard Int64(try backing.status().st_size) >= start + Int64(span.bytes) else { return false }
            return SHA256.digest(of: try backing.bytes(count: span.bytes, at: start)) == digest
        case .split: return false
        }
        return true
    }

    /// What was handed to the region and is not here, of a file that recovery left so.
    static func owedSpans(of node: LocalNode, here: Set<Int>, _ db: borrowing Connection) throws -> Set<Int> {
        let count = FileContent.spanCount(of: node.attributes.size)
        let sent = try uploads(of: node.inode, db).flatMap { $0.spans.map(\.index) }
        return Set(sent.filter { $0 < count }).subtracting(here)
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
