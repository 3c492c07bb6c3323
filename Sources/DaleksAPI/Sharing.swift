public import DaleksCore
public import DaleksJSON

/// Who may see a node because of what was said about this very node. What lies above it may show it to more.
public enum Visibility: String, Hashable, Sendable, CaseIterable {
    case `private`
    /// Granted to somebody.
    case shared
    /// Published: whoever knows where it is may read it.
    case `public`
}

/// Rights that a user was given on a node and all that lies below it.
public struct Grant: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var node: NodeID
    public var user: UserID
    public var rights: Rights
    /// Who gave them.
    public var grantor: UserID
    public var granted: Timestamp
    /// From this instant on it grants nothing.
    public var expires: Timestamp?

    public init(
        node: NodeID,
        user: UserID,
        rights: Rights,
        grantor: UserID,
        granted: Timestamp,
        expires: Timestamp?
    ) {
        self.node = node
        self.user = user
        self.rights = rights
        self.grantor = grantor
        self.granted = granted
        self.expires = expires
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("node", node)
        json.member("user", user)
        json.member("rights", rights.words)
        json.member("by", grantor)
        json.member("granted", granted.nanoseconds)
        json.member("expires", ifPresent: expires?.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        node = try reader.identifier("node")
        user = try reader.identifier("user")
        rights = try reader.rights("rights")
        grantor = try reader.identifier("by")
        granted = try reader.time("granted")
        expires = try reader.optionalTime("expires")
    }
}

/// What somebody who shares asks for.
public struct GrantRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var rights: Rights
    public var expires: Timestamp?

    public init(rights: Rights, expires: Timestamp? = nil) {
        self.rights = rights
        self.expires = expires
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("rights", rights.words)
        json.member("expires", ifPresent: expires?.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        rights = try reader.rights("rights")
        guard !rights.isEmpty else { throw reader.refused("rights", "must name a right; to take all away, delete") }
        expires = try reader.optionalTime("expires")
    }
}

/// The grants on one node.
public struct GrantList: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var grants: [Grant]

    public init(_ grants: [Grant]) { self.grants = grants }

    public func encode(to json: inout JSONWriter) {
        json.object { $0.member("grants", grants) }
    }

    public init(json: JSONValue) throws(JSONError) { grants = try JSONReader(json).list("grants") }
}

public struct VisibilityRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var isPublic: Bool

    public init(isPublic: Bool) { self.isPublic = isPublic }

    public func encode(to json: inout JSONWriter) {
        json.object { $0.member("visibility", (isPublic ? Visibility.public : .private).rawValue) }
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        switch try reader.visibility("visibility") {
        case .public: isPublic = true
        case .private: isPublic = false
        case .shared: throw reader.refused("visibility", "is made by grants; it can be set to public or private")
        }
    }
}

/// What the caller may do with a node, and why.
public struct AccessRecord: Hashable, Sendable {
    /// One source of rights.
    public struct Reason: Hashable, Sendable {
        public var rights: Rights
        /// The node that the grant or the publication stands on: the one asked for, or a folder above it.
        public var node: NodeID
        /// The name of that node; nil for a root.
        public var name: Name?
        /// Nil where it is public.
        public var grantor: UserID?
        public var expires: Timestamp?

        public init(rights: Rights, node: NodeID, name: Name?, grantor: UserID?, expires: Timestamp?) {
            self.rights = rights
            self.node = node
            self.name = name
            self.grantor = grantor
            self.expires = expires
        }
    }

    public var owner: UserID
    public var isOwner: Bool
    public var rights: Rights
    public var visibility: Visibility
    public var reasons: [Reason]
    /// For people: a sentence for each reason.
    public var why: [String]

    public init(
        owner: UserID,
        isOwner: Bool,
        rights: Rights,
        visibility: Visibility,
        reasons: [Reason],
        why: [String]
    ) {
        self.owner = owner
        self.isOwner = isOwner
        self.rights = rights
        self.visibility = visibility
        self.reasons = reasons
        self.why = why
    }
}

extension AccessRecord.Reason: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("rights", rights.words)
        json.member("node", node)
        if let name { json.name(name) }
        json.member("by", ifPresent: grantor)
        json.member("expires", ifPresent: expires?.nanoseconds)
        if grantor == nil { json.member("public", true) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        rights = try reader.rights("rights")
        node = try reader.identifier("node")
        name = try reader.optionalName()
        grantor = try reader.optionalIdentifier("by")
        expires = try reader.optionalTime("expires")
    }
}

extension AccessRecord: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("owner", owner)
        json.member("is_owner", isOwner)
        json.member("rights", rights.words)
        json.member("visibility", visibility.rawValue)
        json.member("reasons", reasons)
        json.member("why", why)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        owner = try reader.identifier("owner")
        isOwner = try reader.bool("is_owner")
        rights = try reader.rights("rights")
        visibility = try reader.visibility("visibility")
        reasons = try reader.list("reasons")
        why = try reader.strings("why")
    }
}
