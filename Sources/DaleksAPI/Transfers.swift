public import DaleksCore
public import DaleksJSON

public enum TransferKindTag {}
public typealias TransferID = Identifier<TransferKindTag>

/// Somebody is to own what the caller owns.
public struct TransferRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var recipient: UserID

    public init(to recipient: UserID) { self.recipient = recipient }

    public func encode(to json: inout JSONWriter) { json.object { $0.member("to", recipient) } }
    public init(json: JSONValue) throws(JSONError) { recipient = try JSONReader(json).identifier("to") }
}

/// An offer that waits for its answer.
public struct TransferRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var id: TransferID
    public var node: NodeID
    public var name: Name
    public var kind: NodeKind
    public var sender: UserID
    public var recipient: UserID
    public var offered: Timestamp
    /// From then on it is too late.
    public var expires: Timestamp

    public init(
        id: TransferID,
        node: NodeID,
        name: Name,
        kind: NodeKind,
        sender: UserID,
        recipient: UserID,
        offered: Timestamp,
        expires: Timestamp
    ) {
        self.id = id
        self.node = node
        self.name = name
        self.kind = kind
        self.sender = sender
        self.recipient = recipient
        self.offered = offered
        self.expires = expires
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("id", id)
        json.member("node", node)
        json.name(name)
        json.member("kind", kind.word)
        json.member("from", sender)
        json.member("to", recipient)
        json.member("offered", offered.nanoseconds)
        json.member("expires", expires.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        id = try reader.identifier("id")
        node = try reader.identifier("node")
        name = try reader.name()
        kind = try reader.kind("kind")
        sender = try reader.identifier("from")
        recipient = try reader.identifier("to")
        offered = try reader.time("offered")
        expires = try reader.time("expires")
    }
}

public struct TransferList: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var transfers: [TransferRecord]

    public init(_ transfers: [TransferRecord]) { self.transfers = transfers }

    public func encode(to json: inout JSONWriter) { json.object { $0.member("transfers", transfers) } }
    public init(json: JSONValue) throws(JSONError) { transfers = try JSONReader(json).list("transfers") }
}

/// Where what was offered is to be. Absent: in the caller's root, and under the name that it has.
public struct TransferAcceptance: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var toParent: NodeID?
    public var name: Name?

    public init(toParent: NodeID? = nil, name: Name? = nil) {
        self.toParent = toParent
        self.name = name
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("to_parent", ifPresent: toParent)
        if let name { json.name(name) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        toParent = try reader.optionalIdentifier("to_parent")
        name = try reader.optionalName()
    }
}
