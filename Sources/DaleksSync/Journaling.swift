import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite

/// Rows of the journal as operations.
enum Journaling {
    /// The number is the row's, given when it is sent; what the body says of it counts for nothing. Answers its place.
    @discardableResult
    static func append(
        _ mutation: Mutation,
        _ subjects: JournalTable.Subjects,
        _ db: borrowing Connection
    ) throws -> Int64 {
        let body = Operation(sequence: 1, mutation: mutation).jsonBytes
        return try JournalTable.append(.metadata, subjects, body: body, in: db)
    }

    /// What a row says, under its own number where it has one.
    static func operation(of row: JournalTable.Row) throws -> Operation {
        guard let body = row.body, let json = try? JSONValue.parse(body), var operation = try? Operation(json: json)
        else {
            throw SQLiteError(.corrupt, "journal row \(row.place) cannot be read", sql: "journal")
        }
        if let sequence = row.sequence { operation.sequence = sequence }
        return operation
    }

    /// What must always hold: bytes that only this machine has are in the journal, while their file has a name.
    static func requireCommit(of inode: Inode, _ db: borrowing Connection) throws {
        guard let node = try NodeTable.find(inode, in: db), node.attributes.kind == .file,
            try ContentTable.isDirty(inode, in: db), try !JournalTable.hasCommit(of: inode, in: db),
            try EntryTable.isNamed(inode, db)
        else { return }
        try JournalTable.append(.commit, JournalTable.Subjects(node: inode), body: nil, in: db)
    }

    /// The last name of a node goes. True where the region never needs to hear of the node, because it has not yet:
    /// then its rows are gone, and `replaced` is what it had itself taken the place of.
    ///
    /// What was made safe stays where another file takes its place: should a power cut cost that one its bytes, this
    /// one is what comes back, and not what it had replaced.
    static func withdraw(
        _ inode: Inode,
        replaced: inout (inode: Inode, id: NodeID)?,
        isReplaced: Bool,
        besides touched: Set<Inode>,
        _ db: borrowing Connection
    ) throws -> Bool {
        let rows = try JournalTable.rows(concerning: inode, in: db)
        let mustStay = isReplaced && rows.contains { $0.barrier != nil }
        guard !mustStay, rows.allSatisfy({ $0.sequence == nil && $0.subjects.node == inode }) else {
            try withdrawContent(of: inode, rows, db)
            return false
        }
        var rename: Mutation.Rename?
        for (position, row) in rows.enumerated() where row.kind == .metadata {
            switch try operation(of: row).mutation {
            case .create where position == 0: continue
            case .attributes where position > 0: continue
            case .rename(let found) where position > 0 && rename == nil && !found.isExchange: rename = found
            default:
                try withdrawContent(of: inode, rows, db)
                return false
            }
        }
        guard let first = rows.first, first.kind == .metadata, case .create = try operation(of: first).mutation else {
            try withdrawContent(of: inode, rows, db)
            return false
        }
        if let id = rename?.replaces, let other = rows.compactMap(\.subjects.replaced).first { replaced = (other, id) }
        for row in rows { try JournalTable.delete(place: row.place, in: db) }
        let folders = Set(rows.flatMap { [$0.subjects.parent, $0.subjects.otherParent] }.compactMap { $0 })
        for folder in folders.subtracting(touched).sorted() { try tellTimes(of: folder, db) }
        return true
    }

    /// A folder's times changed through something that is not told itself.
    static func tellTimes(of inode: Inode, _ db: borrowing Connection) throws {
        guard let folder = try NodeTable.find(inode, in: db), folder.attributes.links > 0 else { return }
        let change = Mutation.AttributeChange(
            node: folder.id,
            modified: folder.attributes.modified,
            time: folder.attributes.changed
        )
        let body = Operation(sequence: 1, mutation: .attributes(change)).jsonBytes
        // One such row tells of any number of changes, if nothing was done to the folder itself since.
        if let last = try JournalTable.rows(of: inode, after: .min, in: db).last, last.sequence == nil,
            last.kind == .metadata, case .attributes(let known) = try operation(of: last).mutation,
            known.mode == nil, known.uid == nil, known.gid == nil, known.accessed == nil
        {
            try JournalTable.rewrite(place: last.place, last.subjects, body: body, in: db)
        } else {
            try JournalTable.append(.metadata, JournalTable.Subjects(node: inode), body: body, in: db)
        }
    }

    /// Content that nobody will ever ask for need not be sent; but what shows it under another name first must not do
    /// so without it.
    static func withdrawContent(
        of inode: Inode,
        _ rows: [JournalTable.Row],
        _ db: borrowing Connection
    ) throws {
        let lastNaming = try rows.last { row in
            guard row.subjects.node == inode, row.kind == .metadata else { return false }
            return switch try operation(of: row).mutation {
            case .rename, .link: true
            case .create, .remove, .attributes, .extended, .commit: false
            }
        }
        for row in rows where row.kind == .commit && row.subjects.node == inode && row.sequence == nil {
            if row.place > lastNaming?.place ?? 0 { try JournalTable.delete(place: row.place, in: db) }
        }
    }

    /// Puts another id for a folder or file into everything that names it.
    static func rename(_ inode: Inode, from old: NodeID, to new: NodeID, _ db: borrowing Connection) throws {
        for row in try JournalTable.rows(concerning: inode, in: db) where row.body != nil {
            var operation = try operation(of: row)
            operation.mutation.replace(old, with: new)
            try JournalTable.setBody(operation.jsonBytes, at: row.place, in: db)
        }
    }
}

extension Mutation {
    fileprivate mutating func replace(_ old: NodeID, with new: NodeID) {
        func other(_ id: NodeID) -> NodeID { id == old ? new : id }
        switch self {
        case .create(var creation):
            (creation.parent, creation.node) = (other(creation.parent), other(creation.node))
            self = .create(creation)
        case .link(let parent, let name, let node, let time):
            self = .link(parent: other(parent), name: name, node: other(node), time: time)
        case .remove(let parent, let name, let node, let time):
            self = .remove(parent: other(parent), name: name, node: other(node), time: time)
        case .rename(var rename):
            (rename.parent, rename.toParent, rename.node) = (
                other(rename.parent), other(rename.toParent), other(rename.node)
            )
            rename.replaces = rename.replaces.map(other)
            self = .rename(rename)
        case .attributes(var change):
            change.node = other(change.node)
            self = .attributes(change)
        case .extended(var change):
            change.node = other(change.node)
            self = .extended(change)
        case .commit(var commit):
            commit.node = other(commit.node)
            self = .commit(commit)
        }
    }

    /// Where the name stands that it takes away, if it takes one away there.
    var source: (parent: NodeID, name: Name)? {
        switch self {
        case .rename(let rename): (rename.parent, rename.name)
        case .remove(let parent, let name, _, _): (parent, name)
        case .create, .link, .attributes, .extended, .commit: nil
        }
    }

    /// The same, of a name that stands elsewhere.
    func from(_ folder: NodeID, _ name: Name) -> Mutation {
        switch self {
        case .rename(var rename):
            (rename.parent, rename.name) = (folder, name)
            return .rename(rename)
        case .remove(_, _, let node, let time):
            return .remove(parent: folder, name: name, node: node, time: time)
        case .create, .link, .attributes, .extended, .commit: return self
        }
    }
}
