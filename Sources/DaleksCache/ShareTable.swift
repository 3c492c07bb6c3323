public import DaleksCore
public import DaleksSQLite

/// Rows of `shares`: what others granted to the account on single nodes.
public enum ShareTable {
    public struct Share: Hashable, Sendable {
        public var node: NodeID
        public var owner: UserID
        /// The item as it is shown; nil where it lies in another that is shown.
        public var inode: Inode?
        public var rights: Rights
        public var grantor: UserID
        public var expires: Timestamp?
        /// It is nobody's to see any more, and what was done in it here is yet to be put aside.
        public var isWithdrawn: Bool

        public init(
            node: NodeID,
            owner: UserID,
            inode: Inode?,
            rights: Rights,
            grantor: UserID,
            expires: Timestamp?,
            isWithdrawn: Bool = false
        ) {
            self.node = node
            self.owner = owner
            self.inode = inode
            self.rights = rights
            self.grantor = grantor
            self.expires = expires
            self.isWithdrawn = isWithdrawn
        }
    }

    private static let columns = "node, owner, inode, rights, grantor, expires, withdrawn"

    public static func all(in db: borrowing Connection) throws -> [Share] {
        try db.query("SELECT node, owner, inode, rights, grantor, expires, withdrawn FROM shares", [], decode)
    }

    public static func find(_ node: NodeID, in db: borrowing Connection) throws -> Share? {
        try db.first(
            "SELECT node, owner, inode, rights, grantor, expires, withdrawn FROM shares WHERE node = ?1",
            [.id(node)],
            decode
        )
    }

    public static func set(_ share: Share, in db: borrowing Connection) throws {
        try db.execute(
            """
            INSERT INTO shares (node, owner, inode, rights, grantor, expires, withdrawn)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (node) DO UPDATE SET owner = excluded.owner, inode = excluded.inode, rights = excluded.rights,
               grantor = excluded.grantor, expires = excluded.expires, withdrawn = excluded.withdrawn
            """,
            [
                .id(share.node), .id(share.owner), share.inode.map { .integer($0.column) } ?? .null,
                .integer(Int64(share.rights.rawValue)), .id(share.grantor), share.expires.map { .time($0) } ?? .null,
                .integer(share.isWithdrawn ? 1 : 0),
            ]
        )
    }

    public static func delete(_ node: NodeID, in db: borrowing Connection) throws {
        try db.execute("DELETE FROM shares WHERE node = ?1", [.id(node)])
    }

    /// When the first of them ends.
    public static func firstEnd(in db: borrowing Connection) throws -> Timestamp? {
        let end = try db.first("SELECT min(expires) FROM shares WHERE NOT withdrawn", []) { row in
            try row.optionalInt64(0)
        }
        return (end ?? nil).map { Timestamp(nanoseconds: $0) }
    }

    private static func decode(_ row: borrowing Row) throws -> Share {
        Share(
            node: try row.identifier(0),
            owner: try row.identifier(1),
            inode: try row.optionalInt64(2).map(Inode.init(column:)),
            rights: Rights(rawValue: UInt8(truncatingIfNeeded: try row.int64(3))),
            grantor: try row.identifier(4),
            expires: try row.optionalInt64(5).map { Timestamp(nanoseconds: $0) },
            isWithdrawn: try row.int64(6) != 0
        )
    }
}

/// What lies in a shared item.
extension ShareTable {
    private static let below = """
        WITH RECURSIVE below (inode) AS (
            VALUES (?1) UNION SELECT entries.node FROM entries JOIN below ON entries.parent = below.inode
        )
        """

    /// The item and every node that is known to lie in it.
    public static func members(of item: Inode, in db: borrowing Connection) throws -> [Inode] {
        try db.query(SQL("\(below) SELECT inode FROM below"), [.integer(item.column)]) { row in
            Inode(column: try row.int64(0))
        }
    }

    /// Other rights for everything below that had those of the item itself. What had more of its own is asked for anew.
    public static func setRights(
        _ rights: Rights,
        below item: Inode,
        insteadOf old: Rights,
        in db: borrowing Connection
    ) throws {
        let (new, before) = (Int64(rights.rawValue), Int64(old.rawValue))
        try db.execute(
            SQL(
                """
                \(below) UPDATE nodes SET standing = (standing & ~31) | ?2,
                   stale = stale OR (standing & 31) <> ?3
                WHERE inode IN below AND standing & 32
                """
            ),
            [.integer(item.column), .integer(new), .integer(before)]
        )
    }

    /// No rights at all: what the item held is not to be seen any more.
    public static func hide(_ item: Inode, in db: borrowing Connection) throws {
        try db.execute(
            SQL("\(below) UPDATE nodes SET standing = standing & ~31 WHERE inode IN below AND standing & 32"),
            [.integer(item.column)]
        )
    }

    /// Everything that is known of one owner's nodes is to be asked for again. `withNumbers`: by whatever number it
    /// goes.
    public static func distrust(
        ownedBy folder: Inode,
        withNumbers: Bool,
        in db: borrowing Connection
    ) throws {
        if withNumbers {
            try db.execute(
                SQL("\(below) UPDATE nodes SET revision = 1, answered = 0 WHERE inode IN below AND revision > 0"),
                [.integer(folder.column)]
            )
        }
        try db.execute(
            SQL(
                """
                \(below) UPDATE nodes SET stale = 1, complete = complete AND kind <> 2,
                   listed = CASE WHEN kind = 2 THEN 0 ELSE listed END
                WHERE inode IN below AND revision > 0
                """
            ),
            [.integer(folder.column)]
        )
    }
}
