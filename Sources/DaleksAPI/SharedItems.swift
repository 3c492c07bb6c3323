public import DaleksCore
public import DaleksJSON

/// The root of something that others share with the caller.
public struct SharedItem: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var node: NodeRecord
    /// What its owner calls it.
    public var name: Name
    public var grantor: UserID
    public var granted: Timestamp
    public var expires: Timestamp?
    /// The outermost of the other shares that it lies in; nil where it lies in none.
    public var within: NodeID?
    /// From where to follow the feed of its owner's tree.
    public var cursor: String

    public init(
        node: NodeRecord,
        name: Name,
        grantor: UserID,
        granted: Timestamp,
        expires: Timestamp?,
        within: NodeID? = nil,
        cursor: String
    ) {
        self.node = node
        self.name = name
        self.grantor = grantor
        self.granted = granted
        self.expires = expires
        self.within = within
        self.cursor = cursor
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("node", node)
        json.name(name)
        json.member("by", grantor)
        json.member("granted", granted.nanoseconds)
        json.member("expires", ifPresent: expires?.nanoseconds)
        json.member("within", ifPresent: within)
        json.member("cursor", cursor)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        node = try reader.decode("node")
        name = try reader.name()
        grantor = try reader.identifier("by")
        granted = try reader.time("granted")
        expires = try reader.optionalTime("expires")
        within = try reader.optionalIdentifier("within")
        cursor = try reader.string("cursor")
    }
}

/// A page of what is shared with the caller.
public struct SharedWithMe: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var items: [SharedItem]
    /// Where the next page starts; nil on the last.
    public var next: NodeID?
    /// In the caller's own feed, taken before the page was read: later news of shares comes after it.
    public var cursor: String

    public init(items: [SharedItem], next: NodeID?, cursor: String) {
        self.items = items
        self.next = next
        self.cursor = cursor
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("items", items)
        json.member("next", ifPresent: next)
        json.member("cursor", cursor)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        items = try reader.list("items")
        next = try reader.optionalIdentifier("next")
        cursor = try reader.string("cursor")
    }
}

/// Something of the caller's own that others may see.
public struct SharedByMe: Hashable, Sendable {
    public struct Item: Hashable, Sendable, JSONEncodable, JSONDecodable {
        public var node: NodeRecord
        /// From the caller's root; what is not UTF-8 in it is shown escaped.
        public var path: String
        public var grants: [Grant]

        public init(node: NodeRecord, path: String, grants: [Grant]) {
            self.node = node
            self.path = path
            self.grants = grants
        }

        public func encode(to json: inout JSONWriter) {
            json.beginObject()
            json.member("node", node)
            json.member("path", path)
            json.member("grants", grants)
            json.endObject()
        }

        public init(json: JSONValue) throws(JSONError) {
            let reader = JSONReader(json)
            node = try reader.decode("node")
            path = try reader.string("path")
            grants = try reader.list("grants")
        }
    }

    public var items: [Item]
    public var next: NodeID?

    public init(items: [Item], next: NodeID?) {
        self.items = items
        self.next = next
    }
}

extension SharedByMe: JSONEncodable, JSONDecodable {
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
