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
