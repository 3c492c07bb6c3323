import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// What becomes of an item that is not shared any more: what was changed in it here and is not at the region is put
/// aside, and everything else goes.
///
/// ## Concurrency
/// Runs on the thread of `Shares`, and takes the turn of the news: nothing else changes the files concerned meanwhile.
struct Withdrawal: Sendable {
    let tree: LocalTree
    let news: RemoteNews
    let setAside: SetAside
    let logger: Logger

    private struct Outcome {
        var gone: [Inode] = []
        /// A folder that nothing is in any more.
        var closed: (name: Name, inode: Inode)?
    }

    /// False where something that was done in it is under way: an answer may still come.
    func run(_ share: ShareTable.Share) throws(Errno) -> Bool {
        guard let item = share.inode else {
            try tree.database.writing { db throws in try ShareTable.delete(share.node, in: db) }
            return true
        }
        let members = try tree.database.reading { db throws in try ShareTable.members(of: item, in: db) }
        for inode in members {
            guard let content = tree.contents.loaded(inode) else { continue }
            try? tree.saveContent(content)
        }
        var asideCount = 0
        let outcome = try news.inTurn { () throws(Errno) -> Outcome? in
            try tree.contents.holding(Set(members)) { held throws(Errno) -> Outcome? in
                for content in held.values { content.freeze() }
                defer { for content in held.values { content.thaw { _ in } } }
                guard try !isUnderWay(members) else { return nil }
                for inode in members where try keepAside(inode, held[inode]) { asideCount += 1 }
                return try tree.database.writing { db throws in try Self.remove(share, item, db) }
            }
        }
        guard let outcome else { return false }
        for inode in outcome.gone { tree.collect(inode) }
        if let closed = outcome.closed {
            news.tellEntry(closed.name, in: .root)
            tree.collect(closed.inode)
        }
        logger.notice("something is not shared any more", ["node": share.node, "files.put.aside": asideCount])
        return true
    }

    private func isUnderWay(_ members: [Inode]) throws(Errno) -> Bool {
        try tree.database.reading { db throws in
            try members.contains { inode in
                try JournalTable.rows(concerning: inode, in: db).contains { $0.sequence != nil }
            }
        }
    }

    /// Whether there was something that only this machine has.
    private func keepAside(_ inode: Inode, _ content: FileContent?) throws(Errno) -> Bool {
        let found = try tree.database.reading { db throws -> (node: LocalNode, path: [Name])? in
            guard try ContentTable.isDirty(inode, in: db), let node = try NodeTable.find(inode, in: db) else {
                return nil
            }
            return (node, try ContentPlace.find(inode, in: db)?.path ?? [])
        }
        guard let found, try tree.store.status(of: inode) != nil else { return false }
        let file = try tree.store.open(inode)
        try setAside.keep(
            file,
            size: max(content?.live.size ?? 0, found.node.attributes.size),
            of: inode,
            found.node.id,
            because: "a file was changed here and is not shared with us any more; what was changed was put aside",
            named: found.path.last
        )
        return true
    }

    private static func remove(
        _ share: ShareTable.Share,
        _ item: Inode,
        _ db: borrowing Connection
    ) throws -> Outcome {
        var outcome = Outcome()
        let members = try ShareTable.members(of: item, in: db)
        let inside = Set(members)
        var folder: Inode?
        for inode in members {
            // A file may have a name in another item too, and goes on there.
            var isElsewhere = false
            for place in try EntryTable.places(of: inode, db) {
                let isOwners = try inode == item && OwnerTable.isFolder(place.parent, in: db)
                if isOwners { folder = place.parent }
                guard isOwners || inside.contains(place.parent) else {
                    isElsewhere = true
                    continue
                }
                try EntryTable.delete(place.name, in: place.parent, db)
            }
            guard !isElsewhere, var node = try NodeTable.find(inode, in: db) else { continue }
            for row in try JournalTable.rows(concerning: inode, in: db) {
                try JournalTable.delete(place: row.place, in: db)
            }
            node.attributes.links = 0
            try NodeTable.update(node, in: db)
            outcome.gone.append(inode)
        }
        try ShareTable.delete(share.node, in: db)
        if let folder, try EntryTable.isEmpty(folder, db), let owner = try OwnerTable.find(folder: folder, in: db) {
            for place in try EntryTable.places(of: folder, db) {
                try EntryTable.delete(place.name, in: place.parent, db)
                outcome.closed = (place.name, folder)
            }
            try OwnerTable.delete(owner.id, in: db)
        }
        return outcome
    }
}
