import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Changes of names about which the region has the last word: nothing stays of one to which it said no.
extension Settlement {
    /// Somebody else was first, or what it was about is not there any more.
    mutating func takeBack(
        _ item: Item,
        _ conflict: OperationResult.Conflict,
        _ current: NodeRecord?,
        _ db: borrowing Connection
    ) throws {
        let subjects = item.row.subjects
        let concerned = [subjects.parent, subjects.otherParent, subjects.node, subjects.replaced].compactMap { $0 }
        // Where nothing has that name, the folder or what was to be named is gone: that is an answer.
        answers[item.row.place] = conflict == .missing && current == nil ? .refused(.noEntry) : .overtaken(concerned)
        try undo(item, isThere: conflict != .missing, current, db)
    }

    mutating func takeBack(_ item: Item, refused code: String, _ db: borrowing Connection) throws {
        answers[item.row.place] = .refused(Errno(refusal: code))
        try undo(item, isThere: true, nil, db)
    }

    /// Nobody waits for the answer any more, and the region was not asked yet. False where it may have been.
    mutating func withdraw(questionAt place: Int64, _ db: borrowing Connection) throws -> Bool {
        guard let row = try JournalTable.find(place: place, in: db), row.isAsked, row.sequence == nil else {
            return false
        }
        // What was done with it since builds on it.
        guard try JournalTable.rows(of: row.subjects.node, after: place, in: db).isEmpty else { return false }
        let item = Item(row: row, operation: try Journaling.operation(of: row), outcome: .waiting)
        try undo(item, isThere: true, nil, db)
        return true
    }

    private mutating func undo(
        _ item: Item,
        isThere: Bool,
        _ current: NodeRecord?,
        _ db: borrowing Connection
    ) throws {
        let subjects = item.row.subjects
        try drop(item.row, db)
        guard let parent = subjects.parent else { return }
        switch item.operation.mutation {
        case .create(let creation): try unmake(subjects.node, at: Spot(parent: parent, name: creation.name), db)
        case .link(_, let name, _, _): try takeAway(subjects.node, at: Spot(parent: parent, name: name), db)
        case .remove(_, let name, _, _):
            // Where it is missing there, somebody else has removed it.
            guard isThere else { break }
            try bringBack(subjects.node, at: Spot(parent: parent, name: name), db)
            try countFolder(subjects.node, in: parent, 1, db)
        case .rename(let rename):
            guard let otherParent = subjects.otherParent else { break }
            let source = Spot(parent: parent, name: rename.name)
            let target = Spot(parent: otherParent, name: rename.toName)
            try undo(item.row, rename, source, target, isThere: isThere, current, db)
        case .attributes, .extended, .commit: break
        }
        try markStale(subjects, db)
    }

    private mutating func unmake(_ inode: Inode, at spot: Spot, _ db: borrowing Connection) throws {
        guard try stands(inode, at: spot, db) else { return }
        try takeAway(inode, at: spot, db)
        try countFolder(inode, in: spot.parent, -1, db)
        guard var node = try NodeTable.find(inode, in: db), node.attributes.kind == .folder else { return }
        node.attributes.links = 0
        try NodeTable.update(node, in: db)
    }

    /// A folder counts those in it. How it looks otherwise, its times above all, it is asked for again.
    private func countFolder(
        _ inode: Inode,
        in parent: Inode,
        _ change: Int,
        _ db: borrowing Connection
    ) throws {
        guard try NodeTable.find(inode, in: db)?.attributes.kind == .folder,
            var folder = try NodeTable.find(parent, in: db)
        else { return }
        folder.attributes.links = UInt32(clamping: Int(folder.attributes.links) + change)
        try NodeTable.update(folder, in: db)
    }
}

extension Errno {
    /// What a program hears of a refusal by the region.
    init(refusal code: String) {
        self =
            switch code {
            case RefusalPlan.quota: .quota
            case "forbidden": .accessDenied
            default: .io
            }
    }
}
