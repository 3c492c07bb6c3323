import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Names that stand elsewhere than we thought when we went on.
extension Settlement {
    func stands(_ inode: Inode, at spot: Spot, _ db: borrowing Connection) throws -> Bool {
        try EntryTable.find(spot.name, in: spot.parent, db)?.inode == inode
    }

    mutating func move(_ inode: Inode, from: Spot, to: Spot, _ db: borrowing Connection) throws {
        try EntryTable.delete(from.name, in: from.parent, db)
        try EntryTable.insert(to.name, in: to.parent, node: inode, db)
        renamed += [from, to]
    }

    /// What a row brought to `from` is at `to` instead. The next operation that takes it from there follows; where
    /// there is none it still stands there, and moves.
    mutating func relocate(
        _ row: JournalTable.Row,
        from: Spot,
        to: Spot,
        isUndone: Bool = false,
        _ db: borrowing Connection
    ) throws {
        let inode = row.subjects.node
        for next in try JournalTable.rows(of: inode, after: row.place, in: db) where next.kind == .metadata {
            let operation = try Journaling.operation(of: next)
            guard next.subjects.parent == from.parent, operation.mutation.source?.name == from.name else { continue }
            guard let folder = try NodeTable.find(to.parent, in: db) else { continue }
            var subjects = next.subjects
            subjects.parent = to.parent
            let body = Operation(sequence: operation.sequence, mutation: operation.mutation.from(folder.id, to.name))
            try JournalTable.rewrite(place: next.place, subjects, body: body.jsonBytes, in: db)
            resent.insert(inode)
            return
        }
        if !isUndone, let over = try replacement(of: inode, at: from, after: row.place, db) {
            // It was written over there since: that goes along.
            return try retarget(over, from: from, to: to, db)
        }
        guard try stands(inode, at: from, db) else { return }
        // Another name will do, and may be where the region has it.
        if try EntryTable.places(of: inode, db).count > 1, try EntryTable.find(to.name, in: to.parent, db) != nil {
            return try takeAway(inode, at: from, db)
        }
        guard let to = try free(to, db) else { return try takeAway(inode, at: from, db) }
        try move(inode, from: from, to: to, db)
    }

    /// The later row that put something else in the node's place.
    private func replacement(
        of inode: Inode,
        at spot: Spot,
        after place: Int64,
        _ db: borrowing Connection
    ) throws -> JournalTable.Row? {
        try JournalTable.rows(concerning: inode, in: db).first { next in
            guard next.place > place, next.subjects.replaced == inode, next.subjects.otherParent == spot.parent,
                case .rename(let rename) = try Journaling.operation(of: next).mutation
            else { return false }
            return rename.toName == spot.name && !rename.isExchange
        }
    }

    private mutating func retarget(
        _ row: JournalTable.Row,
        from: Spot,
        to: Spot,
        _ db: borrowing Connection
    ) throws {
        var operation = try Journaling.operation(of: row)
        guard case .rename(var rename) = operation.mutation, let folder = try NodeTable.find(to.parent, in: db) else {
            return
        }
        (rename.toParent, rename.toName) = (folder.id, to.name)
        operation.mutation = .rename(rename)
        var row = row
        row.subjects.otherParent = to.parent
        try JournalTable.rewrite(place: row.place, row.subjects, body: operation.jsonBytes, in: db)
        resent.insert(row.subjects.node)
        try relocate(row, from: from, to: to, db)
    }

    /// The spot, or one like it that is free and can be reached; nil where nothing can be put anywhere else.
    private func free(_ spot: Spot, _ db: borrowing Connection) throws -> Spot? {
        var spot = spot
        let folder = try NodeTable.find(spot.parent, in: db)
        if folder == nil || folder?.attributes.links == 0 {
            guard let haven = try FollowedTree.haven(in: db) else { return nil }
            spot.parent = haven
        }
        if try EntryTable.find(spot.name, in: spot.parent, db) != nil {
            spot.name = try freeName(like: spot.name, in: spot.parent, db)
        }
        return spot
    }

    /// Gives a node a name again that was taken from it here.
    mutating func bringBack(_ inode: Inode, at spot: Spot, _ db: borrowing Connection) throws {
        guard var node = try NodeTable.find(inode, in: db), try !stands(inode, at: spot, db) else { return }
        guard let spot = try free(spot, db) else { return nameless.append(inode) }
        try EntryTable.insert(spot.name, in: spot.parent, node: inode, db)
        node.attributes.links =
            node.attributes.kind == .folder ? max(2, node.attributes.links) : node.attributes.links + 1
        node.isStale = true
        try NodeTable.update(node, in: db)
        renamed.append(spot)
        try Journaling.requireCommit(of: inode, db)
    }

    /// The same for what a refused rename had replaced. Where the region has something else there, it comes by itself;
    /// but edits that only we have need a name.
    mutating func restore(
        _ replaced: Inode?,
        at spot: Spot,
        isThere: Bool,
        _ db: borrowing Connection
    ) throws {
        guard let replaced else { return }
        // The name that it lost here may be its own at the region still, or again.
        guard try !EntryTable.isNamed(replaced, db) else { return try markStale(replaced, db) }
        guard try isThere || ContentTable.isDirty(replaced, in: db) else { return nameless.append(replaced) }
        try bringBack(replaced, at: spot, db)
    }

    mutating func takeAway(_ inode: Inode, at spot: Spot, _ db: borrowing Connection) throws {
        guard try stands(inode, at: spot, db), var node = try NodeTable.find(inode, in: db) else { return }
        try EntryTable.delete(spot.name, in: spot.parent, db)
        if node.attributes.kind != .folder { node.attributes.links = try EntryTable.linksLeft(of: node, db) }
        try NodeTable.update(node, in: db)
        renamed.append(spot)
        nameless.append(inode)
    }

    /// The folder in which we made something is gone at the region: it is made anew, before what we made in it, where
    /// our next step takes it from, or else where it is. False where it cannot be.
    mutating func revive(
        _ folder: Inode?,
        before row: JournalTable.Row,
        _ db: borrowing Connection
    ) throws -> Bool {
        guard let folder, folder != .root, var node = try NodeTable.find(folder, in: db),
            node.attributes.kind == .folder, try node.revision > 0 || !isToBeMade(folder, db),
            let place = try departure(of: folder, after: row.place, db)
                ?? EntryTable.places(of: folder, db).first.map({ Spot(parent: $0.parent, name: $0.name) }),
            let home = try NodeTable.find(place.parent, in: db),
            // What somebody shares is theirs to make.
            try !OwnerTable.isFolder(home.inode, in: db)
        else { return false }
        let old = node.id
        node.id = .random(at: now)
        (node.revision, node.answered, node.listed) = (0, 0, 0)
        // What others had put in it is gone or elsewhere; once it is there again a listing says so.
        node.isStale = true
        try NodeTable.update(node, in: db)
        try Journaling.rename(folder, from: old, to: node.id, db)
        let creation = Mutation.Creation(
            parent: home.id,
            name: place.name,
            node: node.id,
            kind: .folder,
            mode: node.attributes.mode,
            uid: node.attributes.uid,
            gid: node.attributes.gid,
            time: node.attributes.changed
        )
        try JournalTable.insert(
            .metadata,
            JournalTable.Subjects(node: folder, parent: place.parent),
            body: Operation(sequence: 1, mutation: .create(creation)).jsonBytes,
            before: row.place,
            in: db
        )
        try postpone(row, db)
        resent.formUnion([folder, row.subjects.node])
        reports.append(
            Report(message: "a folder that was removed elsewhere is made anew", node: folder, detail: "\(place.name)")
        )
        return true
    }

    /// Whether the journal makes the node.
    private func isToBeMade(_ inode: Inode, _ db: borrowing Connection) throws -> Bool {
        try JournalTable.rows(about: inode, in: db).contains { row in
            guard row.kind == .metadata, case .create = try Journaling.operation(of: row).mutation else { return false }
            return true
        }
    }

    /// Where a later row takes the node away.
    private func departure(of inode: Inode, after place: Int64, _ db: borrowing Connection) throws -> Spot? {
        for row in try JournalTable.rows(of: inode, after: place, in: db) where row.kind == .metadata {
            guard let name = try Journaling.operation(of: row).mutation.source?.name, let parent = row.subjects.parent
            else { continue }
            return Spot(parent: parent, name: name)
        }
        return nil
    }
}
