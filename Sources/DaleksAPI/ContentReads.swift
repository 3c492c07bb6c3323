public import DaleksCore
public import DaleksJSON

/// Stretches of files, asked for together.
public struct ContentReads: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public struct Read: Hashable, Sendable {
        public var node: NodeID
        public var content: Revision
        /// Of the span.
        public var index: Int
        /// Which bytes within the span; fewer come where the span ends before.
        public var range: Range<Int>

        public init(node: NodeID, content: Revision, index: Int, range: Range<Int> = 0..<Limits.spanBytes) {
            self.node = node
            self.content = content
            self.index = index
            self.range = range
        }
    }

    public var reads: [Read]
    /// Wishes to be told what each span hashes to of which all the bytes come (feature `read_digests`).
    public var wantsDigests: Bool

    public init(_ reads: [Read], wantsDigests: Bool = false) {
        self.reads = reads
        self.wantsDigests = wantsDigests
    }

    /// What the answer may be as large as.
    public var bytesMax: Int { reads.reduce(0) { $0 + $1.range.count } }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("reads", reads)
        if wantsDigests { json.member("digests", true) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        reads = try reader.list("reads")
        wantsDigests = reader.has("digests") ? try reader.bool("digests") : false
        guard (1...Limits.Wire.chunkBatchCountMax).contains(reads.count) else {
            throw reader.refused("reads", "must be 1 to \(Limits.Wire.chunkBatchCountMax)")
        }
    }
}

extension ContentReads.Read: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("node", node)
        json.member("content", content)
        json.member("index", Int64(index))
        if range != 0..<Limits.spanBytes {
            json.member("from", Int64(range.lowerBound))
            json.member("bytes", Int64(range.count))
        }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        node = try reader.identifier("node")
        content = try reader.revision("content")
        index = Int(try reader.integer("index", in: 0...Limits.fileBytesMax / Int64(Limits.spanBytes)))
        let first = reader.has("from") ? Int(try reader.integer("from", in: 0...Int64(Limits.spanBytes - 1))) : 0
        let rest = Limits.spanBytes - first
        let count = reader.has("bytes") ? Int(try reader.integer("bytes", in: 1...Int64(rest))) : rest
        range = first..<first + count
    }
}

/// What became of each read, in the order asked: a byte that says which (0: the bytes, 1: a problem as JSON, 2: nothing
/// more, ask for the rest again, 3: the digest of the whole span and its bytes), how long it is (4 bytes, big-endian),
/// and that many bytes.
public struct ContentAnswers: Hashable, Sendable {
    public static let contentType = "application/vnd.daleks.content"

    public enum Answer: Hashable, Sendable {
        case bytes([UInt8])
        /// All of a span, and what it hashes to.
        case whole(Digest, [UInt8])
        /// As the body of an error.
        case problem([UInt8])
        /// The answer was full before it.
        case later
    }

    public var answers: [Answer]

    public init(_ answers: [Answer]) { self.answers = answers }

    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for answer in answers {
            let (form, content): (UInt8, [UInt8]) =
                switch answer {
                case .bytes(let content): (0, content)
                case .whole(let digest, let content): (3, digest.bytes + content)
                case .problem(let content): (1, content)
                case .later: (2, [])
                }
            bytes.append(form)
            bytes.append(count: content.count)
            bytes += content
        }
        return bytes
    }

    /// Nil where it is not such a body.
    public init?(bytes: [UInt8]) {
        answers = []
        var rest = bytes[...]
        while let form = rest.first {
            guard let count = rest.dropFirst().leadingCount, rest.count >= 5 + count else { return nil }
            let content = Array(rest.dropFirst(5).prefix(count))
            switch form {
            case 0: answers.append(.bytes(content))
            case 1: answers.append(.problem(content))
            case 2 where content.isEmpty: answers.append(.later)
            case 3:
                guard let digest = Digest(bytes: content.prefix(Digest.byteCount)) else { return nil }
                answers.append(.whole(digest, Array(content.dropFirst(Digest.byteCount))))
            default: return nil
            }
            rest = rest.dropFirst(5 + count)
        }
    }
}
