public import DaleksCore
public import DaleksJSON

/// What a link lets its bearer do beyond reading names.
public enum LinkKind: String, Hashable, Sendable, CaseIterable {
    /// Look at it in place.
    case view
    /// Take it away, a folder as an archive too.
    case download
}

/// A link to be made.
public struct LinkRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var kind: LinkKind
    public var password: String?
    public var expires: Timestamp?
    public var downloadsMax: Int64?

    public init(kind: LinkKind, password: String? = nil, expires: Timestamp? = nil, downloadsMax: Int64? = nil) {
        self.kind = kind
        self.password = password
        self.expires = expires
        self.downloadsMax = downloadsMax
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("kind", kind.rawValue)
        json.member("password", ifPresent: password)
        json.member("expires", ifPresent: expires?.nanoseconds)
        json.member("downloads_max", ifPresent: downloadsMax)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        kind = try reader.linkKind("kind")
        password = try reader.optionalString("password", bytesMax: Limits.Wire.linkPasswordBytesMax)
        guard password != "" else { throw reader.refused("password", "must not be empty") }
        expires = try reader.optionalTime("expires")
        downloadsMax = try reader.optionalInteger("downloads_max", in: 1...1_000_000_000)
    }
}

/// A link as who made it sees it.
public struct LinkRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var id: LinkID
    public var node: NodeID
    public var kind: LinkKind
    public var hasPassword: Bool
    public var created: Timestamp
    public var expires: Timestamp?
    public var downloadsMax: Int64?
    public var downloads: Int64
    public var lastUsed: Timestamp?
    /// Only where it was just made: nobody is told it again.
    public var url: String?

    public init(
        id: LinkID,
        node: NodeID,
        kind: LinkKind,
        hasPassword: Bool,
        created: Timestamp,
        expires: Timestamp?,
        downloadsMax: Int64?,
        downloads: Int64,
        lastUsed: Timestamp?,
        url: String? = nil
    ) {
        self.id = id
        self.node = node
        self.kind = kind
        self.hasPassword = hasPassword
        self.created = created
        self.expires = expires
        self.downloadsMax = downloadsMax
        self.downloads = downloads
        self.lastUsed = lastUsed
        self.url = url
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("id", id)
        json.member("node", node)
        json.member("kind", kind.rawValue)
        json.member("has_password", hasPassword)
        json.member("created", created.nanoseconds)
        json.member("expires", ifPresent: expires?.nanoseconds)
        json.member("downloads_max", ifPresent: downloadsMax)
        json.member("downloads", downloads)
        json.member("last_used", ifPresent: lastUsed?.nanoseconds)
        json.member("url", ifPresent: url)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        id = try reader.identifier("id")
        node = try reader.identifier("node")
        kind = try reader.linkKind("kind")
        hasPassword = try reader.bool("has_password")
        created = try reader.time("created")
        expires = try reader.optionalTime("expires")
        downloadsMax = try reader.optionalInteger("downloads_max")
        downloads = try reader.integer("downloads")
        lastUsed = try reader.optionalTime("last_used")
        url = try reader.optionalString("url")
    }
}

public struct LinkList: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var links: [LinkRecord]

    public init(_ links: [LinkRecord]) { self.links = links }

    public func encode(to json: inout JSONWriter) { json.object { $0.member("links", links) } }
    public init(json: JSONValue) throws(JSONError) { links = try JSONReader(json).list("links") }
}

public enum LinkKindTag {}
/// A link's own name; its token is another, which is not kept.
public typealias LinkID = Identifier<LinkKindTag>

/// A URL to be signed.
public struct SigningRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// Which content; nil is the present one.
    public var content: Revision?
    public var expiresInSeconds: Int64

    public init(content: Revision? = nil, expiresInSeconds: Int64) {
        self.content = content
        self.expiresInSeconds = expiresInSeconds
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("content", ifPresent: content)
        json.member("expires_in", expiresInSeconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        content = reader.has("content") ? try reader.revision("content") : nil
        expiresInSeconds = try reader.integer("expires_in", in: 1...Limits.Wire.signedSecondsMax)
    }
}

/// A URL that reads one content of one file until then.
public struct SignedURL: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var url: String
    public var expires: Timestamp

    public init(url: String, expires: Timestamp) {
        self.url = url
        self.expires = expires
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("url", url)
        json.member("expires", expires.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        url = try reader.string("url")
        expires = try reader.time("expires")
    }
}

extension JSONReader {
    fileprivate func linkKind(_ key: String) throws(JSONError) -> LinkKind {
        guard let kind = LinkKind(rawValue: try string(key, bytesMax: 16)) else {
            throw refused(key, "must be view or download")
        }
        return kind
    }
}
