public import DaleksCore

/// Many chunks in one body: for each its digest (32 bytes), how long it is (4 bytes, big-endian), and its bytes.
public struct ChunkBatch: Hashable, Sendable {
    public static let contentType = "application/vnd.daleks.chunks"
    /// What stands before each chunk.
    public static let headerBytes = Digest.byteCount + 4

    public struct Member: Hashable, Sendable {
        public var digest: Digest
        public var content: [UInt8]

        public init(digest: Digest, content: [UInt8]) {
            self.digest = digest
            self.content = content
        }
    }

    public var members: [Member]

    public init(_ members: [Member]) { self.members = members }

    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(members.reduce(0) { $0 + Self.headerBytes + $1.content.count })
        for member in members {
            bytes += member.digest.bytes
            bytes.append(count: member.content.count)
            bytes += member.content
        }
        return bytes
    }

    /// Nil where it is not such a body, or holds a chunk that is empty or too long, or too many.
    public init?(bytes: [UInt8]) {
        members = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard members.count < Limits.Wire.chunkBatchCountMax,
                let digest = Digest(bytes: rest.prefix(Digest.byteCount)),
                let count = rest.dropFirst(Digest.byteCount).leadingCount, (1...Limits.spanBytes).contains(count),
                rest.count >= Self.headerBytes + count
            else { return nil }
            rest = rest.dropFirst(Self.headerBytes)
            members.append(Member(digest: digest, content: Array(rest.prefix(count))))
            rest = rest.dropFirst(count)
        }
    }
}

extension [UInt8] {
    mutating func append(count: Int) {
        for shift in [24, 16, 8, 0] { append(UInt8(truncatingIfNeeded: count >> shift)) }
    }
}

extension ArraySlice<UInt8> {
    /// The number that the first four bytes are; nil where there are fewer.
    var leadingCount: Int? { count < 4 ? nil : prefix(4).reduce(0) { $0 << 8 | Int($1) } }
}
