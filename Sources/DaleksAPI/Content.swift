public import DaleksCore
public import DaleksJSON

/// One stretch of a file's bytes: `index × Limits.spanBytes` is where it begins.
public struct Span: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        /// A chunk that is stored.
        case chunk(Digest)
        /// The bytes themselves; only towards the region, in a commit.
        case inline([UInt8])
        /// Zeros that nobody wrote; only in a commit (a manifest leaves holes out).
        case hole
        /// More than one chunk; only where the region has the feature `pieces`, and in manifests only when asked for.
        case split(SplitSpan)
    }

    public var index: Int
    /// How many of the file's bytes it covers.
    public var bytes: Int
    public var source: Source

    public init(index: Int, bytes: Int, source: Source) {
        self.index = index
        self.bytes = bytes
        self.source = source
    }

    // Never inlined: the optimizer of Swift 6.3.1 crashes over callers that this is inlined into.
    @inline(never)
    public var digest: Digest? {
        guard case .chunk(let digest) = source else { return nil }
        return digest
    }
}

extension Span: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("index", Int64(index))
        json.member("bytes", Int64(bytes))
        switch source {
        case .chunk(let digest): json.member("digest", "\(digest)")
        case .inline(let content):
            json.key("inline")
            json.base64(content)
        case .hole: break
        case .split(let split): split.encodeMembers(to: &json)
        }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        index = Int(try reader.integer("index", in: 0...Limits.fileBytesMax / Int64(Limits.spanBytes)))
        bytes = Int(try reader.integer("bytes", in: 0...Int64(Limits.spanBytes)))
        if let text = try reader.optionalString("digest") {
            source = .chunk(try reader.checkedDigest(text, "digest"))
        } else if let content = try reader.optionalBytes("inline") {
            guard content.count == bytes, content.count <= Limits.Wire.inlineBytesMax else {
                throw reader.refused("inline", "must hold exactly `bytes` bytes, \(Limits.Wire.inlineBytesMax) at most")
            }
            source = .inline(content)
        } else if reader.has("pieces") {
            source = .split(try SplitSpan(reader))
        } else {
            source = .hole
        }
    }
}

/// What a file consists of at one revision of its content.
public struct Manifest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var size: Int64
    /// In order of index; what is absent is a hole.
    public var spans: [Span]

    public init(size: Int64, spans: [Span]) {
        self.size = size
        self.spans = spans
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("size", size)
        json.member("spans", spans)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        size = try reader.integer("size", in: 0...Limits.fileBytesMax)
        spans = try reader.list("spans")
    }
}

/// A list of digests: the question which chunks are missing, and its answer.
public struct DigestList: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var digests: [Digest]
    /// Where the caller means to use them, if not in its own tree.
    public var node: NodeID?

    public init(_ digests: [Digest], node: NodeID? = nil) {
        self.digests = digests
        self.node = node
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("digests", digests)
        json.member("node", ifPresent: node)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        digests = try reader.digests("digests")
        node = try reader.optionalIdentifier("node")
    }
}

/// The answer to which chunks are missing.
public struct MissingAnswer: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var missing: [Digest]

    public init(_ missing: [Digest]) { self.missing = missing }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("missing", missing)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        missing = try JSONReader(json).digests("missing")
    }
}
