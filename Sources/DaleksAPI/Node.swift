public import DaleksCore
public import DaleksJSON

/// A node as the region states it.
public struct NodeRecord: Hashable, Sendable {
    public var id: NodeID
    public var attributes: Attributes
    /// The tree's sequence at which anything of it last changed.
    public var revision: Revision
    /// The sequence at which its bytes last changed; 0 where it never had any.
    public var content: Revision
    public var owner: UserID
    /// Where a symlink points.
    public var target: [UInt8]?
    public var extended: ExtendedAttributes
    /// Who made it, where that is not its owner.
    public var creator: UserID?
    /// By what was said about this very node.
    public var visibility = Visibility.private
    /// What the caller may do with it; nil where it is the caller's own.
    public var rights: Rights?

    public init(
        id: NodeID,
        attributes: Attributes,
        revision: Revision,
        content: Revision,
        owner: UserID,
        target: [UInt8]? = nil,
        extended: ExtendedAttributes = ExtendedAttributes()
    ) {
        self.id = id
        self.attributes = attributes
        self.revision = revision
        self.content = content
        self.owner = owner
        self.target = target
        self.extended = extended
    }
}

extension NodeKind {
    /// The word for it on the wire.
    public var word: String {
        switch self {
        case .file: "file"
        case .folder: "folder"
        case .symlink: "symlink"
        case .fifo: "fifo"
        case .socket: "socket"
        case .characterDevice: "character_device"
        case .blockDevice: "block_device"
        }
    }

    public init?(word: String) {
        guard let kind = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = kind
    }
}

extension NodeRecord: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("id", id)
        json.member("kind", attributes.kind.word)
        json.member("mode", Int64(attributes.mode))
        json.member("uid", Int64(attributes.uid))
        json.member("gid", Int64(attributes.gid))
        json.member("atime", attributes.accessed.nanoseconds)
        json.member("mtime", attributes.modified.nanoseconds)
        json.member("ctime", attributes.changed.nanoseconds)
        json.member("size", attributes.size)
        json.member("links", Int64(attributes.links))
        if attributes.device != 0 { json.member("device", Int64(attributes.device)) }
        json.member("rev", revision)
        json.member("content", content)
        json.member("owner", owner)
        if let target { json.member("target", Base64.encode(target)) }
        if !extended.isEmpty { json.extended(extended) }
        if let creator { json.member("creator", creator) }
        if visibility != .private { json.member("visibility", visibility.rawValue) }
        if let rights { json.member("rights", rights.words) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        try self.init(JSONReader(json))
    }

    init(_ json: JSONReader) throws(JSONError) {
        self.init(
            id: try json.identifier("id"),
            attributes: Attributes(
                kind: try json.kind("kind"),
                mode: try json.word32("mode"),
                uid: try json.word32("uid"),
                gid: try json.word32("gid"),
                accessed: try json.time("atime"),
                modified: try json.time("mtime"),
                changed: try json.time("ctime"),
                size: try json.integer("size", in: 0...Limits.fileBytesMax),
                links: try json.word32("links"),
                device: json.has("device") ? try json.word32("device") : 0
            ),
            revision: try json.revision("rev"),
            content: try json.revision("content"),
            owner: try json.identifier("owner"),
            target: try json.optionalBytes("target"),
            extended: try json.extended()
        )
        creator = try json.optionalIdentifier("creator")
        visibility = json.has("visibility") ? try json.visibility("visibility") : .private
        rights = try json.optionalRights("rights")
    }
}

/// A name in a folder and the node behind it.
public struct EntryRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var name: Name
    public var node: NodeRecord

    public init(name: Name, node: NodeRecord) {
        self.name = name
        self.node = node
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.name(name)
        json.key("node")
        node.encode(to: &json)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        name = try reader.name()
        node = try NodeRecord(try reader.object("node"))
    }
}

/// One page of a folder.
public struct ChildrenPage: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var entries: [EntryRecord]
    /// Where the next page starts; nil on the last.
    public var next: Name?
    /// Taken before the page was read: a client that follows the feed from here misses nothing.
    public var cursor: String

    public init(entries: [EntryRecord], next: Name?, cursor: String) {
        self.entries = entries
        self.next = next
        self.cursor = cursor
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("entries", entries)
        if let next { json.member("next", Base64.encode(next.bytes)) }
        json.member("cursor", cursor)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        entries = try reader.list("entries")
        next = try reader.optionalBytes("next").map { bytes throws(JSONError) in try reader.checkedName(bytes, "next") }
        cursor = try reader.string("cursor")
    }
}

/// The caller's own tree in this region.
public struct TreeRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var root: NodeID
    /// Another one when the region came back from a backup.
    public var epoch: Int64
    public var cursor: String
    /// What it forgot then.
    public var setbacks: Setbacks

    public init(root: NodeID, epoch: Int64, cursor: String, setbacks: Setbacks = Setbacks()) {
        self.root = root
        self.epoch = epoch
        self.cursor = cursor
        self.setbacks = setbacks
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("root", root)
        json.member("epoch", epoch)
        json.member("cursor", cursor)
        if !setbacks.all.isEmpty { json.member("setbacks", setbacks.all) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        root = try reader.identifier("root")
        epoch = try reader.integer("epoch", in: 0...Int64.max)
        cursor = try reader.string("cursor")
        setbacks = Setbacks(reader.has("setbacks") ? try reader.list("setbacks") : [])
    }
}

/// How much of the caller's quota is in use.
public struct UsageRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var bytesUsed: Int64
    public var bytesQuota: Int64
    public var filesUsed: Int64
    /// Counted apart: they make room before anybody is refused.
    public var versionsBytes: Int64
    public var trashBytes: Int64

    public init(
        bytesUsed: Int64,
        bytesQuota: Int64,
        filesUsed: Int64,
        versionsBytes: Int64 = 0,
        trashBytes: Int64 = 0
    ) {
        self.bytesUsed = bytesUsed
        self.bytesQuota = bytesQuota
        self.filesUsed = filesUsed
        self.versionsBytes = versionsBytes
        self.trashBytes = trashBytes
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("bytes_used", bytesUsed)
        json.member("bytes_quota", bytesQuota)
        json.member("files_used", filesUsed)
        json.member("versions_bytes", versionsBytes)
        json.member("trash_bytes", trashBytes)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        bytesUsed = try reader.integer("bytes_used", in: 0...Int64.max)
        bytesQuota = try reader.integer("bytes_quota", in: 0...Int64.max)
        filesUsed = try reader.integer("files_used", in: 0...Int64.max)
        versionsBytes = try reader.optionalInteger("versions_bytes", in: 0...Int64.max) ?? 0
        trashBytes = try reader.optionalInteger("trash_bytes", in: 0...Int64.max) ?? 0
    }
}
