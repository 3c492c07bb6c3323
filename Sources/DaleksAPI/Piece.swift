public import DaleksCore
public import DaleksJSON

/// A sixteenth of a span (`Limits.pieceBytes`): what a file that is written at random is told in.
public struct Piece: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        /// A chunk that is stored.
        case chunk(Digest)
        /// The bytes themselves; only towards the region, in a commit.
        case inline([UInt8])
        /// Zeros.
        case hole
    }

    /// Counted within its span.
    public var index: Int
    /// How many of the file's bytes it covers.
    public var bytes: Int
    public var source: Source

    public init(index: Int, bytes: Int, source: Source) {
        self.index = index
        self.bytes = bytes
        self.source = source
    }

    /// Pieces of a whole span.
    public static let countPerSpan = Limits.spanBytes / Limits.pieceBytes

    // Never inlined: the optimizer of Swift 6.3.1 crashes over callers that this is inlined into.
    @inline(never)
    public var digest: Digest? {
        guard case .chunk(let digest) = source else { return nil }
        return digest
    }
}

/// A span that is more than one chunk: pieces, and what shows where there is none.
///
/// In a commit it says what changes: pieces that are not listed stay as they are in the base, however the region keeps
/// them, and `over` is absent. In a manifest it says what there is: a piece that is not listed shows `over`, or zeros
/// where that is absent.
public struct SplitSpan: Hashable, Sendable {
    /// A chunk of the whole span, of which the pieces listed have been replaced.
    public struct Base: Hashable, Sendable {
        public var digest: Digest
        /// How long the chunk is. What follows in the span is zeros.
        public var bytes: Int

        public init(digest: Digest, bytes: Int) {
            self.digest = digest
            self.bytes = bytes
        }
    }

    public var over: Base?
    /// In order of index, each once.
    public var pieces: [Piece]

    public init(over: Base? = nil, pieces: [Piece]) {
        self.over = over
        self.pieces = pieces
    }
}

extension Piece: JSONEncodable, JSONDecodable {
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
        }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        index = Int(try reader.integer("index", in: 0...Int64(Self.countPerSpan - 1)))
        bytes = Int(try reader.integer("bytes", in: 1...Int64(Limits.pieceBytes)))
        if let text = try reader.optionalString("digest") {
            source = .chunk(try reader.checkedDigest(text, "digest"))
        } else if let content = try reader.optionalBytes("inline") {
            guard content.count == bytes else { throw reader.refused("inline", "must hold exactly `bytes` bytes") }
            source = .inline(content)
        } else {
            source = .hole
        }
    }
}

extension SplitSpan {
    func encodeMembers(to json: inout JSONWriter) {
        if let over {
            json.key("over")
            json.beginObject()
            json.member("digest", "\(over.digest)")
            json.member("bytes", Int64(over.bytes))
            json.endObject()
        }
        json.member("pieces", pieces)
    }

    init(_ json: JSONReader) throws(JSONError) {
        if json.has("over") {
            let base = try json.object("over")
            over = Base(
                digest: try base.checkedDigest(try base.string("digest"), "digest"),
                bytes: Int(try base.integer("bytes", in: 1...Int64(Limits.spanBytes)))
            )
        }
        pieces = try json.list("pieces")
        guard (1...Piece.countPerSpan).contains(pieces.count) else {
            throw json.refused("pieces", "must be 1 to \(Piece.countPerSpan)")
        }
        for (earlier, later) in zip(pieces, pieces.dropFirst()) where later.index <= earlier.index {
            throw json.refused("pieces", "must be in order of index, each once")
        }
    }
}
