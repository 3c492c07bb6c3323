import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite

/// Rows of the journal as operations.
enum Journaling {
    /// The number in a body is given when it is sent; until then it says 1.
    static func append(
        _ mutation: Mutation,
        _ subjects: JournalTable.Subjects,
        _ db: borrowing Connection
    ) throws {
        let body = Operation(sequence: 1, mutation: mutation).jsonBytes
        try JournalTable.append(.metadata, subjects, body: body, in: db)
    }

    static func operation(of row: JournalTable.Row) throws -> Operation {
        guard let body = row.body, let json = try? JSONValue.parse(body), let operation = try? Operation(json: json)
        else {
            throw SQLiteError(.corrupt, "journal row \(row.place) cannot be read", sql: "journal")
        }
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
        case .create, .link, .attributes, .commit: nil
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
        case .create, .link, .attributes, .commit: return self
        }
    }
}
