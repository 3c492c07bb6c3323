public import DaleksCore
public import DaleksJSON

/// Something that was removed and can come back.
public struct TrashItem: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var node: NodeRecord
    /// What it was called, and where.
    public var name: Name
    public var parent: NodeID
    /// By the region's clock, as `removed`; nil where it is older than this was kept.
    public var made: Timestamp?
    public var removed: Timestamp
    /// Who removed it; nil where that is not known.
    public var remover: UserID?
    /// When it goes for good at the latest.
    public var expires: Timestamp

    public init(
        node: NodeRecord,
        name: Name,
        parent: NodeID,
        made: Timestamp? = nil,
        removed: Timestamp,
        remover: UserID?,
        expires: Timestamp
    ) {
        self.node = node
        self.name = name
        self.parent = parent
        self.made = made
        self.removed = removed
        self.remover = remover
        self.expires = expires
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("node", node)
        json.name(name)
        json.member("parent", parent)
        json.member("made", ifPresent: made?.nanoseconds)
        json.member("removed", removed.nanoseconds)
        json.member("by", ifPresent: remover)
        json.member("expires", expires.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        node = try reader.decode("node")
        name = try reader.name()
        parent = try reader.identifier("parent")
        made = try reader.optionalTime("made")
        removed = try reader.time("removed")
        remover = try reader.optionalIdentifier("by")
        expires = try reader.time("expires")
    }
}

/// A page of the trash, what was removed last first.
public struct TrashPage: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var items: [TrashItem]
    public var next: NodeID?

    public init(items: [TrashItem], next: NodeID?) {
        self.items = items
        self.next = next
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("items", items)
        json.member("next", ifPresent: next)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        items = try reader.list("items")
        next = try reader.optionalIdentifier("next")
    }
}

public struct TrashRestoreRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// What happens where the name is taken.
    public enum ConflictRule: String, Hashable, Sendable, CaseIterable {
        case fail
        /// It comes back under another name.
        case rename
        /// What has the name goes to the trash.
        case replace
    }

    /// Nil: where it was.
    public var toParent: NodeID?
    public var toName: Name?
    public var onConflict: ConflictRule

    public init(toParent: NodeID? = nil, toName: Name? = nil, onConflict: ConflictRule = .fail) {
        self.toParent = toParent
        self.toName = toName
        self.onConflict = onConflict
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("to_parent", ifPresent: toParent)
        if let toName { json.name(toName, prefix: "to_") }
        json.member("on_conflict", onConflict.rawValue)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        toParent = try reader.optionalIdentifier("to_parent")
        toName = try reader.optionalName(prefix: "to_")
        guard let rule = ConflictRule(rawValue: try reader.optionalString("on_conflict") ?? "fail") else {
            throw reader.refused("on_conflict", "must be fail, rename or replace")
        }
        onConflict = rule
    }
}
