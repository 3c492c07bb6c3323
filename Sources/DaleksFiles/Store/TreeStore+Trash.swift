import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What was removed, for its owner.
extension TreeStore {
    func trash(of caller: UserID, after id: NodeID?, limit: Int) throws(APIError) -> TrashPage {
        let number = try tree(of: caller).number
        return try read { db in
            var place: TrashTable.Place?
            if let id {
                guard let node = try NodeTable.load(id, db), node.tree == number, let removed = node.removed else {
                    throw APIError(.cursorExpired, "what the page began after has left the trash: begin again")
                }
                place = TrashTable.Place(id: id, removed: removed)
            }
            let ids = try TrashTable.page(of: number, before: place, limit: limit, db)
            var items: [TrashItem] = []
            for id in ids {
                guard let node = try NodeTable.load(id, db), let name = node.removedName, let removed = node.removed
                else { continue }
                items.append(
                    TrashItem(
                        node: node.record(owner: caller),
                        name: name,
                        parent: node.parent ?? id,
                        made: node.made,
                        removed: removed,
                        remover: node.remover,
                        expires: removed + trashKept
                    )
                )
            }
            return TrashPage(items: items, next: ids.count == limit ? ids.last : nil)
        }
    }

    func restoreTrash(
        _ id: NodeID,
        _ request: TrashRestoreRequest,
        of caller: UserID
    ) throws(APIError) -> Told<EntryRecord> {
        let now = time.wall
        let mine = try tree(of: caller).number
        return try write { db in
            guard let tree = try TreeTable.lock(number: mine, db) else { throw Self.hidden }
            var restoring = TrashRestoring(
                DraftSession(tree: tree, caller: caller, bytesQuota: bytesQuota, now: now)
            )
            let key = try restoring.restore(id, request, db)
            try restoring.session.save(db)
            let told = try ShareNews.tell(about: restoring.granted, of: mine, at: now, db)
            try AuditTable.record(.trashRestored, in: mine, at: now, by: caller, node: id, db)
            let record = EntryRecord(name: key.name, node: try visible(id, to: caller, db).record)
            return Told(value: record, owners: [caller] + told)
        }
    }

    func purgeTrash(_ id: NodeID, of caller: UserID) throws(APIError) {
        let now = time.wall
        let mine = try tree(of: caller).number
        try write { db in
            guard var tree = try TreeTable.lock(number: mine, db), let node = try NodeTable.load(id, db),
                node.tree == mine, node.removedName != nil
            else { throw APIError.notFound("this is not in the trash") }
            try TrashTable.purge(id, in: &tree, db)
            try TreeTable.save(tree, db)
            try AuditTable.record(.trashPurged, in: mine, at: now, by: caller, node: id, db)
        }
    }

    func emptyTrash(of caller: UserID) throws(APIError) {
        let now = time.wall
        let mine = try tree(of: caller).number
        let limit = Limits.Files.thinnedRowCountMax
        var count = limit
        while count == limit {
            count = try write { db in
                guard var tree = try TreeTable.lock(number: mine, db) else { return 0 }
                // What is removed while this runs stays.
                let ids = try TrashTable.page(
                    of: mine,
                    before: TrashTable.Place(id: NodeID(high: 0, low: 0), removed: now),
                    limit: limit,
                    db
                )
                for id in ids { try TrashTable.purge(id, in: &tree, db) }
                try TreeTable.save(tree, db)
                if ids.count < limit { try AuditTable.record(.trashEmptied, in: mine, at: now, by: caller, db) }
                return ids.count
            }
        }
    }
}

/// The way back from the trash, with the folders above that are there too.
struct TrashRestoring {
    private(set) var session: DraftSession
    /// Nodes that came back and are granted to somebody.
    private(set) var granted: [NodeID] = []

    init(_ session: DraftSession) { self.session = session }

    mutating func restore(
        _ id: NodeID,
        _ request: TrashRestoreRequest,
        _ db: borrowing StoreConnection
    ) throws -> EntryKey {
        guard let node = try NodeTable.load(id, db), node.tree == session.tree.number, let name = node.removedName
        else {
            throw APIError.notFound("this is not in the trash")
        }
        let parent = try request.toParent ?? home(of: node, db)
        var key = EntryKey(parent: parent, name: request.toName ?? name)
        if let occupant = try session.decide(db, { draft throws(Stop) in try draft.occupant(of: key) }).orThrow() {
            switch request.onConflict {
            case .fail: throw APIError(.alreadyExists, "the name is taken: choose on_conflict rename or replace")
            case .rename: key.name = try freeName(like: key, db)
            case .replace: try clear(key, of: occupant, db)
            }
        }
        try bringBack(node, to: key, db)
        return key
    }

    /// Where it lay. A folder that is in the trash itself comes back first; what is gone for good is replaced by the
    /// root.
    private mutating func home(of node: StoredNode, _ db: borrowing StoreConnection) throws -> NodeID {
        // What comes back, the innermost first, and which folder in it is meant where that is not the thing itself.
        var steps: [(folder: StoredNode, inner: NodeID?)] = []
        var (place, above) = (node, session.tree.root)
        while steps.count <= Limits.Files.pathDepthMax, let id = place.parent, id != place.id,
            let parent = try session.known(id) ?? NodeTable.load(id, db), parent.tree == session.tree.number,
            parent.isFolder
        {
            if parent.isLive {
                let standing = try session.decide(db) { draft throws(Stop) in try draft.standing(of: parent) }
                if try standing.orThrow().isReachable {
                    above = id
                    break
                }
                // It lies in a folder that is in the trash: that one comes back.
                guard let top = try topInTrash(of: parent, db) else { break }
                steps.append((top, id))
                place = top
            } else {
                guard parent.removedName != nil else { break }
                steps.append((parent, nil))
                place = parent
            }
        }
        for (folder, inner) in steps.reversed() {
            let back = try bringBackOrMerge(folder, into: above, db)
            above = inner ?? back
        }
        return above
    }

    private func topInTrash(of folder: StoredNode, _ db: borrowing StoreConnection) throws -> StoredNode? {
        var node = folder
        for _ in 0..<Limits.Files.pathDepthMax {
            guard let id = node.parent, let parent = try NodeTable.load(id, db) else { return nil }
            if parent.removedName != nil { return parent }
            node = parent
        }
        return nil
    }

    /// The folder comes back under its name, or under another where something that is no folder has it. Where a folder
    /// has it, that one stands for it if this one is empty.
    private mutating func bringBackOrMerge(
        _ folder: StoredNode,
        into parent: NodeID,
        _ db: borrowing StoreConnection
    ) throws -> NodeID {
        guard let name = folder.removedName else { return session.tree.root }
        var key = EntryKey(parent: parent, name: name)
        if let occupant = try session.decide(db, { draft throws(Stop) in try draft.occupant(of: key) }).orThrow() {
            if occupant.isFolder, folder.entryCount == 0 { return occupant.id }
            key.name = try freeName(like: key, db)
        }
        try bringBack(folder, to: key, db)
        return folder.id
    }

    private mutating func bringBack(_ node: StoredNode, to key: EntryKey, _ db: borrowing StoreConnection) throws {
        let folders = node.isFolder ? try EntryTable.folderCount(in: node.id, db) : 0
        let decision = try session.decide(db) { draft throws(Stop) in
            try draft.restore(node.id, at: key, folders: folders, by: .request)
        }
        _ = try decision.orThrow()
        if node.isFolder, node.entryCount > 0 {
            granted += try TrashTable.subtree(of: node, db).granted
        } else if node.sharing.contains(.granted) {
            granted.append(node.id)
        }
    }

    private mutating func clear(_ key: EntryKey, of occupant: StoredNode, _ db: borrowing StoreConnection) throws {
        let subtree = try TrashTable.subtree(of: occupant, db)
        let decision = try session.decide(db) { draft throws(Stop) in
            try draft.discard(key, occupant.id, subtree, by: .request)
        }
        _ = try decision.orThrow()
        granted += subtree.granted
    }

    private mutating func freeName(like key: EntryKey, _ db: borrowing StoreConnection) throws -> Name {
        for number in 1...Limits.Files.restoredNameTriesMax {
            let name = key.name.inserting(number == 1 ? " (restored)" : " (restored \(number))")
            let free = EntryKey(parent: key.parent, name: name)
            let occupant = try session.decide(db) { draft throws(Stop) in try draft.occupant(of: free) }
            if try occupant.orThrow() == nil { return name }
        }
        throw APIError(.alreadyExists, "no free name was found: choose one with to_name")
    }
}

extension Name {
    /// The same with something behind it, cut so that it stays a name.
    func appending(_ text: String) -> Name {
        let room = Limits.nameBytesMax - text.utf8.count
        return (try? Name(Array(bytes.prefix(room)) + Array(text.utf8))) ?? self
    }

    /// The same before its suffix, cut so that it stays a name.
    func inserting(_ text: String) -> Name {
        let dot = bytes.lastIndex(of: UInt8(ascii: ".")).flatMap { $0 > 0 && bytes.count - $0 <= 16 ? $0 : nil }
        let (stem, suffix) = (bytes[..<(dot ?? bytes.count)], bytes[(dot ?? bytes.count)...])
        let room = Limits.nameBytesMax - text.utf8.count - suffix.count
        // A cut in the middle of a character would leave what is no text.
        var end = min(stem.count, room)
        while end < stem.count, end > 0, stem[end] & 0xc0 == 0x80 { end -= 1 }
        return (try? Name(Array(stem.prefix(end)) + Array(text.utf8) + Array(suffix))) ?? self
    }
}
