public import DaleksCore
public import DaleksJSON

/// One step of a tree, as every reader of it hears of it.
public struct Change: Hashable, Sendable {
    /// A name that now stands for a node, or for nothing.
    public struct Entry: Hashable, Sendable {
        public var parent: NodeID
        public var name: Name
        public var node: NodeID?

        public init(parent: NodeID, name: Name, node: NodeID?) {
            self.parent = parent
            self.name = name
            self.node = node
        }
    }

    /// Something of somebody else's that the reader may see now, or with other rights, or no longer.
    public struct Share: Hashable, Sendable {
        public var node: NodeID
        public var owner: UserID
        /// Nil where it went out of sight.
        public var rights: Rights?
        public var expires: Timestamp?

        public init(node: NodeID, owner: UserID, rights: Rights?, expires: Timestamp?) {
            self.node = node
            self.owner = owner
            self.rights = rights
            self.expires = expires
        }
    }

    /// A node that a step touched, and the revision that it has since.
    public struct Touch: Hashable, Sendable {
        public var node: NodeID
        public var revision: Revision

        public init(node: NodeID, revision: Revision) {
            self.node = node
            self.revision = revision
        }
    }

    public var sequence: Revision
    /// Who made it and which of its operations it was, so that a device can skip its own.
    public var device: DeviceID?
    public var operation: Int64?
    /// As they are after the change.
    public var nodes: [NodeRecord]
    public var entries: [Entry]
    /// Only in the reader's own feed.
    public var shares: [Share]
    /// In place of nodes and entries, where the reader said which device it is: what a run of that device's own steps
    /// touched, told once for all of them. `sequence` and `operation` are those of the last.
    public var touched: [Touch]

    public init(
        sequence: Revision,
        device: DeviceID?,
        operation: Int64?,
        nodes: [NodeRecord],
        entries: [Entry],
        shares: [Share] = [],
        touched: [Touch] = []
    ) {
        self.sequence = sequence
        self.device = device
        self.operation = operation
        self.nodes = nodes
        self.entries = entries
        self.shares = shares
        self.touched = touched
    }
}

extension Change.Touch: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("node", node)
        json.member("rev", revision)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        node = try reader.identifier("node")
        revision = try reader.revision("rev")
    }
}

extension Change.Share: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("node", node)
        json.member("owner", owner)
        json.member("rights", ifPresent: rights?.words)
        json.member("expires", ifPresent: expires?.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        node = try reader.identifier("node")
        owner = try reader.identifier("owner")
        rights = try reader.optionalRights("rights")
        expires = try reader.optionalTime("expires")
    }
}

extension Change.Entry: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("parent", parent)
        json.name(name)
        json.key("node")
        if let node { json.string("\(node)") } else { json.null() }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        parent = try reader.identifier("parent")
        name = try reader.name()
        node = try reader.optionalIdentifier("node")
    }
}

extension Change: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("sequence", sequence)
        if let device { json.member("device", device) }
        if let operation { json.member("operation", operation) }
        json.member("nodes", nodes)
        json.member("entries", entries)
        if !shares.isEmpty { json.member("shares", shares) }
        if !touched.isEmpty { json.member("touched", touched) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        sequence = try reader.revision("sequence")
        device = try reader.optionalIdentifier("device")
        operation = reader.has("operation") ? try reader.integer("operation", in: 1...Int64.max) : nil
        nodes = try reader.list("nodes")
        entries = try reader.list("entries")
        shares = reader.has("shares") ? try reader.list("shares") : []
        touched = reader.has("touched") ? try reader.list("touched") : []
    }
}

/// A page of the feed.
public struct ChangesPage: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var changes: [Change]
    public var cursor: String

    public init(changes: [Change], cursor: String) {
        self.changes = changes
        self.cursor = cursor
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("changes", changes)
        json.member("cursor", cursor)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        changes = try reader.list("changes")
        cursor = try reader.string("cursor")
    }
}

/// Where a reader of a tree's feed stands: the tree's epoch and the last sequence that was applied.
public struct Cursor: Hashable, Sendable, CustomStringConvertible {
    public var epoch: Int64
    public var sequence: Revision

    public init(epoch: Int64, sequence: Revision) {
        self.epoch = epoch
        self.sequence = sequence
    }

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = Int64(parts[0]), let sequence = Int64(parts[1]), epoch >= 0, sequence >= 0
        else { return nil }
        self.init(epoch: epoch, sequence: sequence)
    }

    public var description: String { "\(epoch).\(sequence)" }
}
