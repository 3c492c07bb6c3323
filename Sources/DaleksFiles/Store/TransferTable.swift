import DaleksAPI
import DaleksCore
import DaleksSQLite

/// `transfers`: what is offered to somebody else to own. One offer a node at a time.
enum TransferTable {
    struct Offer: Hashable, Sendable {
        let id: TransferID
        let node: NodeID
        let sender: UserID
        let recipient: UserID
        let offered: Timestamp
        let expires: Timestamp
    }

    static func insert(_ offer: Offer, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM transfers WHERE node = ?1", [.id(offer.node)])
        try db.execute(
            "INSERT INTO transfers (id, node, sender, recipient, offered, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            [
                .id(offer.id), .id(offer.node), .id(offer.sender), .id(offer.recipient), .time(offer.offered),
                .time(offer.expires),
            ]
        )
    }

    static func load(_ id: TransferID, _ db: borrowing StoreConnection) throws -> Offer? {
        try db.first(
            "SELECT id, node, sender, recipient, offered, expires FROM transfers WHERE id = ?1",
            [.id(id)],
            offer
        )
    }

    static func delete(_ id: TransferID, _ db: borrowing StoreConnection) throws {
        try db.execute("DELETE FROM transfers WHERE id = ?1", [.id(id)])
    }

    static func offers(from sender: UserID, _ db: borrowing StoreConnection) throws -> [Offer] {
        try db.query(
            "SELECT id, node, sender, recipient, offered, expires FROM transfers WHERE sender = ?1 ORDER BY id",
            [.id(sender)],
            offer
        )
    }

    static func offers(to recipient: UserID, _ db: borrowing StoreConnection) throws -> [Offer] {
        try db.query(
            "SELECT id, node, sender, recipient, offered, expires FROM transfers WHERE recipient = ?1 ORDER BY id",
            [.id(recipient)],
            offer
        )
    }

    static func forget(before time: Timestamp, limit: Int, _ db: borrowing StoreConnection) throws -> Int {
        try db.execute(
            "DELETE FROM transfers WHERE id IN (SELECT id FROM transfers WHERE expires < ?1 LIMIT ?2)",
            [.time(time), .integer(limit)]
        )
    }

    /// Of somebody who is gone.
    static func forget(_ user: UserID, limit: Int, _ db: borrowing StoreConnection) throws -> Int {
        try db.execute(
            "DELETE FROM transfers WHERE id IN (SELECT id FROM transfers WHERE sender = ?1 OR recipient = ?1 LIMIT ?2)",
            [.id(user), .integer(limit)]
        )
    }

    private static func offer(_ row: borrowing StoreStatement) throws -> Offer {
        Offer(
            id: try row.identifier(0),
            node: try row.identifier(1),
            sender: try row.identifier(2),
            recipient: try row.identifier(3),
            offered: try row.timestamp(4),
            expires: try row.timestamp(5)
        )
    }
}
