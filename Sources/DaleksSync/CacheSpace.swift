/// How much of the disk the cache may take. What is not at the region yet may exceed it, down to the reserve.
public struct CacheSpace: Hashable, Sendable {
    /// Bytes that may lie here before the longest unused are let go.
    public var bytesMax: Int64
    /// Bytes that stay free on the cache's file system for everybody else.
    public var reserveBytes: Int64

    public init(bytesMax: Int64 = 20 << 30, reserveBytes: Int64 = 1 << 30) {
        self.bytesMax = bytesMax
        self.reserveBytes = reserveBytes
    }
}

/// What the cache holds.
public struct CacheFigures: Hashable, Sendable {
    public var files: Int64
    public var bytes: Int64
    /// What the region does not have yet.
    public var unsentBytes: Int64
    /// What is pinned, of what the region has.
    public var pinnedBytes: Int64

    public init(files: Int64 = 0, bytes: Int64 = 0, unsentBytes: Int64 = 0, pinnedBytes: Int64 = 0) {
        self.files = files
        self.bytes = bytes
        self.unsentBytes = unsentBytes
        self.pinnedBytes = pinnedBytes
    }

    public static func + (left: CacheFigures, right: CacheFigures) -> CacheFigures {
        CacheFigures(
            files: left.files + right.files,
            bytes: left.bytes + right.bytes,
            unsentBytes: left.unsentBytes + right.unsentBytes,
            pinnedBytes: left.pinnedBytes + right.pinnedBytes
        )
    }
}
