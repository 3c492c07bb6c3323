public import DaleksCore
public import DaleksJSON

/// What is to change about a node. Absent: stays as it is.
public struct NodeChange: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var name: Name?
    public var toParent: NodeID?
    public var mode: UInt32?
    public var modified: Timestamp?

    public init(name: Name? = nil, toParent: NodeID? = nil, mode: UInt32? = nil, modified: Timestamp? = nil) {
        self.name = name
        self.toParent = toParent
        self.mode = mode
        self.modified = modified
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        if let name { json.name(name) }
        json.member("to_parent", ifPresent: toParent)
        json.member("mode", ifPresent: mode.map { Int64($0) })
        json.member("mtime", ifPresent: modified?.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        name = try reader.optionalName()
        toParent = try reader.optionalIdentifier("to_parent")
        mode = reader.has("mode") ? try reader.mode("mode") : nil
        modified = try reader.optionalTime("mtime")
    }
}

/// A new folder or empty file.
public struct ChildRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// Who is to have what on it, from its first moment on.
    public struct NewGrant: Hashable, Sendable, JSONEncodable, JSONDecodable {
        public var user: UserID
        public var grant: GrantRequest

        public init(user: UserID, grant: GrantRequest) {
            self.user = user
            self.grant = grant
        }

        public func encode(to json: inout JSONWriter) {
            json.beginObject()
            json.member("user", user)
            json.member("rights", grant.rights.words)
            json.member("expires", ifPresent: grant.expires?.nanoseconds)
            json.endObject()
        }

        public init(json: JSONValue) throws(JSONError) {
            user = try JSONReader(json).identifier("user")
            grant = try GrantRequest(json: json)
        }
    }

    public var name: Name
    public var kind: NodeKind
    public var isPublic: Bool
    public var grants: [NewGrant]

    public init(name: Name, kind: NodeKind, isPublic: Bool = false, grants: [NewGrant] = []) {
        self.name = name
        self.kind = kind
        self.isPublic = isPublic
        self.grants = grants
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.name(name)
        json.member("kind", kind.word)
        if isPublic { json.member("visibility", Visibility.public.rawValue) }
        if !grants.isEmpty { json.member("grants", grants) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        name = try reader.name()
        kind = try reader.kind("kind")
        guard kind == .folder || kind == .file else { throw reader.refused("kind", "must be folder or file") }
        isPublic = reader.has("visibility") ? try VisibilityRequest(json: json).isPublic : false
        grants = reader.has("grants") ? try reader.list("grants") : []
        guard grants.count <= Limits.Wire.newGrantCountMax else { throw reader.refused("grants", "has too many") }
    }
}

/// Where something is to be copied to.
public struct CopyRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var toParent: NodeID
    public var name: Name

    public init(toParent: NodeID, name: Name) {
        self.toParent = toParent
        self.name = name
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("to_parent", toParent)
        json.name(name)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        toParent = try reader.identifier("to_parent")
        name = try reader.name()
    }
}

/// Something to be done at a path.
public enum PathRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    case makeFolder
    case move(to: String)
    case copy(to: String)

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        switch self {
        case .makeFolder: json.member("op", "mkdir")
        case .move(let path):
            json.member("op", "move")
            json.member("to", path)
        case .copy(let path):
            json.member("op", "copy")
            json.member("to", path)
        }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        switch try reader.string("op", bytesMax: 16) {
        case "mkdir": self = .makeFolder
        case "move": self = .move(to: try reader.string("to", bytesMax: Limits.pathBytesMax))
        case "copy": self = .copy(to: try reader.string("to", bytesMax: Limits.pathBytesMax))
        default: throw reader.refused("op", "must be mkdir, move or copy")
        }
    }
}

/// What a search found.
public struct FoundItems: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public struct Item: Hashable, Sendable, JSONEncodable, JSONDecodable {
        public var node: NodeRecord
        public var name: Name
        /// From the caller's root; what is not UTF-8 in it is shown escaped.
        public var path: String

        public init(node: NodeRecord, name: Name, path: String) {
            self.node = node
            self.name = name
            self.path = path
        }

        public func encode(to json: inout JSONWriter) {
            json.beginObject()
            json.member("node", node)
            json.name(name)
            json.member("path", path)
            json.endObject()
        }

        public init(json: JSONValue) throws(JSONError) {
            let reader = JSONReader(json)
            node = try reader.decode("node")
            name = try reader.name()
            path = try reader.string("path")
        }
    }

    public var items: [Item]
    /// Where to go on; nil where all has been searched.
    public var next: String?

    public init(items: [Item], next: String?) {
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
        next = try reader.optionalString("next")
    }
}
