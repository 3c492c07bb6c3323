import DaleksAPI
import DaleksCore
import DaleksSQLite

/// `changes`: the feed of each tree, without gaps from its floor to its sequence.
enum ChangeTable {
    static func insert(_ change: Change, in tree: TreeNumber, _ db: borrowing StoreConnection) throws {
        try db.withStatement("INSERT INTO changes (tree, sequence, body) VALUES (?1, ?2, ?3)") { statement in
            try statement.bind(tree, at: 1)
            try statement.bind(change.sequence, at: 2)
            try statement.bind(ChangeRecord.bytes(of: change), at: 3)
            try statement.run()
        }
    }

    /// On PostgreSQL all of them by one statement.
    static func insert(_ changes: [Change], in tree: TreeNumber, _ db: borrowing StoreConnection) throws {
        guard db.isPostgres, changes.count > 1 else {
            for change in changes { try insert(change, in: tree, db) }
            return
        }
        try db.insert(
            "INSERT INTO changes (tree, sequence, body) VALUES (?1, ?2, ?3)",
            types: "iib",
            rows: changes.map { [.integer(tree), .integer($0.sequence), .blob(ChangeRecord.bytes(of: $0))] }
        )
    }

    static func page(
        of tree: TreeState,
        after sequence: Revision,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> [Change] {
        try db.query(
            "SELECT sequence, body FROM changes WHERE tree = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
            [.integer(tree.number), .integer(sequence), .integer(limit)]
        ) { row in
            try ChangeRecord.change(from: try row.blob(1), sequence: try row.int64(0), owner: tree.owner)
        }
    }

    static func delete(
        of tree: TreeNumber,
        upTo sequence: Revision,
        limit: Int,
        _ db: borrowing StoreConnection
    ) throws -> Int {
        try db.execute(
            """
            DELETE FROM changes WHERE tree = ?1 AND sequence IN
                (SELECT sequence FROM changes WHERE tree = ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3)
            """,
            [.integer(tree), .integer(sequence), .integer(limit)]
        )
    }
}
