import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Where the region did not agree: docs/conflicts.md says the same as a table.
extension Settlement {
    mutating func resolve(
        _ item: Item,
        _ conflict: OperationResult.Conflict,
        _ current: NodeRecord?,
        _ db: borrowing Connection
    ) throws {
        let subjects = item.row.subjects
        let concerned = [subjects.node, subjects.parent, subjects.otherParent].compactMap { $0 }
        if conflict == .missing, concerned.contains(where: resent.contains) {
            // It comes later than it was meant to: what others see of its folders' times is then the region's.
            try markStale(subjects, db)
            return try postpone(item.row, db)
        }
        if item.row.isAsked, !isOurs(current, item) { return try takeBack(item, conflict, current, db) }
        switch item.operation.mutation {
        case .create(let creation):
            if current?.id == creation.node { return try acceptKnown(item, db) }
            if conflict == .missing, try revive(subjects.parent, before: item.row, db) { return }
            try remake(item, creation, db)
        case .commit: try keepAsOwn(item, isDeletedThere: conflict == .missing, db)
        case .remove(_, let name, _, _): try resolve(removal: item, name, conflict, db)
        case .attributes, .extended:
            try drop(item.row, db)
            try markStale(subjects, db)
            if conflict != .missing { report("a change of attributes did not fit", item, conflict.rawValue) }
        case .link(_, let name, _, _): try resolve(link: item, name, conflict, current, db)
        case .rename(let rename): try resolve(rename: item, rename, conflict, current, db)
        }
    }

    /// The name is there, for the very node that was meant: an answer was lost.
    private func isOurs(_ current: NodeRecord?, _ item: Item) -> Bool {
        switch item.operation.mutation {
        case .create(let creation): current?.id == creation.node
        case .link(_, _, let id, _): current?.id == id
        case .rename, .remove, .attributes, .extended, .commit: false
        }
    }

    private mutating func resolve(
        removal item: Item,
        _ name: Name,
        _ conflict: OperationResult.Conflict,
        _ db: borrowing Connection
    ) throws {
        try drop(item.row, db)
        try markStale(item.row.subjects, db)
        // That the name is gone is what was wanted.
        guard conflict != .missing else { return }
        if let parent = item.row.subjects.parent {
            try bringBack(item.row.subjects.node, at: Spot(parent: parent, name: name), db)
        }
        report("something that was removed here is back", item, conflict.rawValue)
    }

    private mutating func resolve(
        link item: Item,
        _ name: Name,
        _ conflict: OperationResult.Conflict,
        _ current: NodeRecord?,
        _ db: borrowing Connection
    ) throws {
        guard let parent = item.row.subjects.parent,
            case .link(let folder, _, let id, let time) = item.operation.mutation
        else { return try drop(item.row, db) }
        let spot = Spot(parent: parent, name: name)
        // The name is there, for the very node that was meant.
        if conflict == .exists, current?.id == id { return try acceptKnown(item, db) }
        if conflict == .exists {
            let free = Spot(parent: parent, name: try freeName(like: name, in: parent, db))
            let mutation = Mutation.link(parent: folder, name: free.name, node: id, time: time)
            try resend(item, mutation, item.row.subjects, db)
            return try relocate(item.row, from: spot, to: free, db)
        }
        try drop(item.row, db)
        let node = item.row.subjects.node
        // The last name of bytes that only we have stays: their commit does not fit either, and makes a file of them.
        let isLast = try EntryTable.places(of: node, db).count < 2
        if try !(isLast && stands(node, at: spot, db) && ContentTable.isDirty(node, in: db)) {
            try takeAway(node, at: spot, db)
        }
        try markStale(item.row.subjects, db)
        report("a link could not be made", item, conflict.rawValue)
    }

    private mutating func resolve(
        rename item: Item,
        _ rename: Mutation.Rename,
        _ conflict: OperationResult.Conflict,
        _ current: NodeRecord?,
        _ db: borrowing Connection
    ) throws {
        let subjects = item.row.subjects
        guard let parent = subjects.parent, let otherParent = subjects.otherParent else {
            return try drop(item.row, db)
        }
        let (source, target) = (
            Spot(parent: parent, name: rename.name), Spot(parent: otherParent, name: rename.toName)
        )
        switch conflict {
        case .exists where !rename.isExchange, .notEmpty where !rename.isExchange, .kind where !rename.isExchange:
            // The place is taken by another: ours stands beside it.
            let free = Spot(parent: otherParent, name: try freeName(like: rename.toName, in: otherParent, db))
            var anew = rename
            (anew.toName, anew.replaces) = (free.name, nil)
            try relocate(item.row, from: target, to: free, db)
            try restore(subjects.replaced, at: target, isThere: current?.id == rename.replaces, db)
            var without = subjects
            without.replaced = nil
            try resend(item, .rename(anew), without, db)
            try markStale(otherParent, db)
            report("kept both of what came to one name", item, "\(free.name)")
        case .exists, .notEmpty, .kind, .missing, .cycle, .changed:
            try drop(item.row, db)
            try undo(item.row, rename, source, target, isThere: conflict != .missing, current, db)
            try markStale(subjects, db)
            report("a rename did not fit what another machine did", item, conflict.rawValue)
        }
    }

    /// Puts things back to where they were before a rename that the region refused.
    mutating func undo(
        _ row: JournalTable.Row,
        _ rename: Mutation.Rename,
        _ source: Spot,
        _ target: Spot,
        isThere: Bool,
        _ current: NodeRecord?,
        _ db: borrowing Connection
    ) throws {
        let node = row.subjects.node
        if rename.isExchange, let other = row.subjects.replaced {
            guard try stands(node, at: target, db), try stands(other, at: source, db) else { return }
            try EntryTable.delete(target.name, in: target.parent, db)
            try EntryTable.delete(source.name, in: source.parent, db)
            try EntryTable.insert(source.name, in: source.parent, node: node, db)
            try EntryTable.insert(target.name, in: target.parent, node: other, db)
            renamed += [source, target]
            return
        }
        // Where it is no longer at the source, the region has it elsewhere and the feed or a listing says where. It
        // keeps a name here meanwhile: there may be work on it that the region does not know.
        try relocate(row, from: target, to: source, isUndone: true, db)
        try restore(row.subjects.replaced, at: target, isThere: isThere, db)
    }

    // MARK: Names that are taken

    /// Somebody else made that name first: ours gets another, and what we did with it afterwards follows.
    private mutating func remake(
        _ item: Item,
        _ creation: Mutation.Creation,
        _ db: borrowing Connection
    ) throws {
        guard let parent = item.row.subjects.parent else { return try drop(item.row, db) }
        let taken = Spot(parent: parent, name: creation.name)
        let free = Spot(parent: parent, name: try freeName(like: creation.name, in: parent, db))
        try relocate(item.row, from: taken, to: free, db)
        var anew = creation
        anew.name = free.name
        try resend(item, .create(anew), item.row.subjects, db)
        try markStale(parent, db)
        report("kept both of what came to one name", item, "\(free.name)")
    }

    /// Another operation takes the row's place in the journal.
    mutating func resend(
        _ item: Item,
        _ mutation: Mutation,
        _ subjects: JournalTable.Subjects,
        _ db: borrowing Connection
    ) throws {
        let body = Operation(sequence: 1, mutation: mutation).jsonBytes
        try JournalTable.replace(place: item.row.place, subjects, body: body, in: db)
        resent.insert(item.row.subjects.node)
    }

    // MARK: Content

    /// Our bytes do not build on what the region has: they become a file of their own.
    private mutating func keepAsOwn(
        _ item: Item,
        isDeletedThere: Bool,
        _ db: borrowing Connection
    ) throws {
        let inode = item.row.subjects.node
        guard let node = try NodeTable.find(inode, in: db),
            let place = try EntryTable.places(of: inode, db).first
        else {
            // Removed here since: nobody asks for these bytes any more.
            return try drop(item.row, db)
        }
        guard node.id == item.operation.mutation.subject else { return try postpone(item.row, db) }
        guard try !mustVerify && hasAllBytes(node, db) else {
            // A copy would have holes where bytes were never fetched, or what a dead daemon's index only says is
            // there. They are fetched, or hashed, first: see `Pusher.complete`.
            try postpone(item.row, db)
            let code = isDeletedThere ? RefusalTable.Code.goneBase : RefusalTable.Code.otherBase
            try RefusalTable.set(
                RefusalTable.Refusal(place: item.row.place, code: code, detail: "", retryAt: now),
                in: db
            )
            return
        }
        try drop(item.row, db)
        try makeOwn(node, at: Spot(parent: place.parent, name: place.name), keepsName: isDeletedThere, db)
    }

    /// Gives a file a new identity at the region, with everything that is here. Every byte of it must be.
    mutating func makeOwn(
        _ node: LocalNode,
        at place: Spot,
        keepsName: Bool,
        _ db: borrowing Connection
    ) throws {
        let inode = node.inode
        guard let folder = try NodeTable.find(place.parent, in: db) else { return }
        let name = keepsName ? place.name : try freeName(like: place.name, in: place.parent, db)
        if name != place.name { try move(inode, from: place, to: Spot(parent: place.parent, name: name), db) }
        ownCopies.insert(inode)
        var own = node
        own.id = .random(at: now)
        (own.revision, own.answered, own.content, own.contentSize, own.isStale) = (0, 0, 0, 0, false)
        let links = try leaveOtherNames(of: inode, but: Spot(parent: place.parent, name: name), db)
        own.attributes.links = UInt32(clamping: 1 + links.count)
        try NodeTable.update(own, in: db)
        // What was to be done with the region's file is not: it stays where it is, which listings say.
        for row in try JournalTable.rows(about: inode, in: db) where row.sequence == nil {
            for folder in [row.subjects.parent, row.subjects.otherParent] {
                if let folder { try markStale(folder, db) }
            }
            // With the row goes the last that kept a row of what ours had taken the place of.
            if let replaced = row.subjects.replaced { nameless.append(replaced) }
        }
        try JournalTable.deleteUnsent(of: inode, in: db)
        // Every byte is here, and ours to send now.
        try ContentTable.dirtyAll(of: inode, in: db)
        let creation = Mutation.Creation(
            parent: folder.id,
            name: name,
            node: own.id,
            kind: .file,
            mode: own.attributes.mode,
            uid: own.attributes.uid,
            gid: own.attributes.gid,
            time: own.attributes.changed
        )
        try Journaling.append(.create(creation), JournalTable.Subjects(node: inode, parent: place.parent), db)
        for link in links {
            guard let home = try NodeTable.find(link.parent, in: db) else { continue }
            try Journaling.append(
                .link(parent: home.id, name: link.name, node: own.id, time: own.attributes.changed),
                JournalTable.Subjects(node: inode, parent: link.parent),
                db
            )
        }
        try JournalTable.append(.commit, JournalTable.Subjects(node: inode), body: nil, in: db)
        try markStale(place.parent, db)
        reports.append(Report(message: "kept both contents of a file", node: inode, detail: "\(name)"))
    }

    /// Where the file has other names, those are the region's file's, which a listing brings back; except for links of
    /// ours that the region has not heard of.
    private mutating func leaveOtherNames(
        of inode: Inode,
        but kept: Spot,
        _ db: borrowing Connection
    ) throws -> [Spot] {
        var ours: Set<Spot> = []
        for row in try JournalTable.rows(of: inode, after: .min, in: db) where row.sequence == nil {
            guard let parent = row.subjects.parent, row.kind == .metadata,
                case .link(_, let name, _, _) = try Journaling.operation(of: row).mutation
            else { continue }
            ours.insert(Spot(parent: parent, name: name))
        }
        var links: [Spot] = []
        for place in try EntryTable.places(of: inode, db) {
            let spot = Spot(parent: place.parent, name: place.name)
            if spot == kept { continue }
            if ours.contains(spot) {
                links.append(spot)
            } else {
                try EntryTable.delete(spot.name, in: spot.parent, db)
                renamed.append(spot)
                try markStale(spot.parent, db)
            }
        }
        return links
    }

    /// Whether nothing of the file would have to come from the region.
    func hasAllBytes(_ node: LocalNode, _ db: borrowing Connection) throws -> Bool {
        let known = Set(try ContentTable.states(of: node.inode, in: db).map(\.span))
        let remoteBytes = min(node.contentSize, node.attributes.size)
        return (0..<FileContent.spanCount(of: remoteBytes)).allSatisfy(known.contains)
    }

    mutating func report(_ message: StaticString, _ item: Item, _ detail: String) {
        reports.append(
            Report(
                message: message,
                node: item.row.subjects.node,
                detail: "\(item.operation.mutation.word): \(detail)"
            )
        )
    }

    func freeName(like name: Name, in parent: Inode, _ db: borrowing Connection) throws -> Name {
        // A name that was refused before is taken at the region, whatever is known of that here.
        let first = ConflictName.nextAttempt(after: name, suffix: conflictSuffix)
        for attempt in first..<first + 1_000 {
            let candidate = ConflictName.make(from: name, suffix: conflictSuffix, attempt: attempt)
            if try EntryTable.find(candidate, in: parent, db) == nil { return candidate }
        }
        throw SQLiteError(.corrupt, "a thousand conflict names of one file are taken", sql: "entries")
    }
}
