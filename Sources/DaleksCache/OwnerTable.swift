public import DaleksCore
public import DaleksSQLite

/// Rows of `owners`: whose trees this replica shows something of, where, and how far their feeds were followed. Empty
/// in the replica of the account's own tree.
public enum OwnerTable {
    public struct Owner: Hashable, Sendable {
        public var id: UserID
        /// The folder that their items are shown in. It exists on this machine only.
        public var folder: Inode
        /// What they are called.
        public var name: String
        public var cursor: String

        public init(id: UserID, folder: Inode, name: String, cursor: String) {
            self.id = id
            self.folder = folder
            self.name = name
            self.cursor = cursor
        }
    }

    public static func all(in db: borrowing Connection) throws -> [Owner] {
        try db.query("SELECT id, folder, name, cursor FROM owners ORDER BY folder", [], decode)
    }

    public static func find(_ id: UserID, in db: borrowing Connection) throws -> Owner? {
        try db.first("SELECT id, folder, name, cursor FROM owners WHERE id = ?1", [.id(id)], decode)
    }

    public static func find(folder: Inode, in db: borrowing Connection) throws -> Owner? {
        try db.first(
            "SELECT id, folder, name, cursor FROM owners WHERE folder = ?1",
            [.integer(folder.column)],
            decode
        )
    }

    public static func isFolder(_ inode: Inode, in db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM owners WHERE folder = ?1", [.integer(inode.column)])
    }

    public static func insert(_ owner: Owner, in db: borrowing Connection) throws {
        try db.execute(
            "INSERT INTO owners (id, folder, name, cursor) VALUES (?1, ?2, ?3, ?4)",
            [.id(owner.id), .integer(owner.folder.column), .text(owner.name), .text(owner.cursor)]
        )
    }

    public static func setCursor(_ cursor: String, of id: UserID, in db: borrowing Connection) throws {
        try db.execute("UPDATE owners SET cursor = ?2 WHERE id = ?1", [.id(id), .text(cursor)])
    }

    public static func delete(_ id: UserID, in db: borrowing Connection) throws {
        try db.execute("DELETE FROM owners WHERE id = ?1", [.id(id)])
    }

    private static func decode(_ row: borrowing Row) throws -> Owner {
        Owner(
            id: try row.identifier(0),
            folder: Inode(column: try row.int64(1)),
            name: try row.text(2),
            cursor: try row.text(3)
        )
    }
}
