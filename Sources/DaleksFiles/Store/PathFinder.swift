import DaleksCore
import DaleksSQLite

/// What things are called.
enum PathFinder {
    /// The name of a node; nil for a root. Of several names one.
    static func name(of node: StoredNode, _ db: borrowing StoreConnection) throws -> Name? {
        if let name = node.removedName { return name }
        return try EntryTable.parents(of: node.id, db).first?.name
    }

    /// The names from below `top` down to a node; nil where it does not lie there.
    static func names(
        of node: NodeID,
        below top: (NodeID) -> Bool,
        _ db: borrowing StoreConnection
    ) throws -> [Name]? {
        var names: [Name] = []
        var id = node
        while !top(id) {
            guard names.count < Limits.Files.pathDepthMax, let key = try EntryTable.parents(of: id, db).first else {
                return nil
            }
            names.append(key.name)
            id = key.parent
        }
        return names.reversed()
    }

    /// For people: what is not UTF-8 is escaped.
    static func text(_ names: [Name]) -> String { "/" + names.map(\.description).joined(separator: "/") }
}
