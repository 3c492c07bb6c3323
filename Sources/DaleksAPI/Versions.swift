public import DaleksCore
public import DaleksJSON

/// One content that a file has or had.
public struct VersionRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// Its number: the revision of the content.
    public var content: Revision
    public var size: Int64
    public var modified: Timestamp
    /// When other content took its place; nil for the present one.
    public var superseded: Timestamp?
    /// Who made it; nil where that is not known.
    public var author: UserID?
    public var label: String?
    public var isPinned: Bool

    public init(
        content: Revision,
        size: Int64,
        modified: Timestamp,
        superseded: Timestamp?,
        author: UserID?,
        label: String?,
        isPinned: Bool
    ) {
        self.content = content
        self.size = size
        self.modified = modified
        self.superseded = superseded
        self.author = author
        self.label = label
        self.isPinned = isPinned
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("content", content)
        json.member("size", size)
        json.member("modified", modified.nanoseconds)
        json.member("superseded", ifPresent: superseded?.nanoseconds)
        json.member("author", ifPresent: author)
        json.member("label", ifPresent: label)
        json.member("pinned", isPinned)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        content = try reader.revision("content")
        size = try reader.integer("size", in: 0...Limits.fileBytesMax)
        modified = try reader.time("modified")
        superseded = try reader.optionalTime("superseded")
        author = try reader.optionalIdentifier("author")
        label = try reader.optionalString("label")
        isPinned = try reader.bool("pinned")
    }
}

public struct VersionList: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// When the file was made, by the region's clock; nil where it is older than this was kept. Contents of before are
    /// of files that it took the name of.
    public var made: Timestamp?
    /// The present one first.
    public var versions: [VersionRecord]

    public init(_ versions: [VersionRecord], made: Timestamp? = nil) {
        self.versions = versions
        self.made = made
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("made", ifPresent: made?.nanoseconds)
        json.member("versions", versions)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        made = try reader.optionalTime("made")
        versions = try reader.list("versions")
    }
}

/// What is to change about a version. Absent: stays as it is.
public struct VersionChange: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// An empty one takes the label away.
    public var label: String?
    public var isPinned: Bool?

    public init(label: String? = nil, isPinned: Bool? = nil) {
        self.label = label
        self.isPinned = isPinned
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("label", ifPresent: label)
        json.member("pinned", ifPresent: isPinned)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        label = try reader.optionalString("label", bytesMax: Limits.Wire.labelBytesMax)
        isPinned = try reader.optionalBool("pinned")
    }
}

public struct VersionRestoreRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// The present content as the caller knows it.
    public var base: Revision

    public init(base: Revision) { self.base = base }

    public func encode(to json: inout JSONWriter) { json.object { $0.member("base", base) } }
    public init(json: JSONValue) throws(JSONError) { base = try JSONReader(json).revision("base") }
}
