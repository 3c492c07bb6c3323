/// A copy_file_range between two open files of this mount.
public struct FUSECopy: Hashable, Sendable {
    public let source: UInt64
    public let sourceHandle: UInt64
    public let sourceOffset: Int64
    public let target: UInt64
    public let targetHandle: UInt64
    public let targetOffset: Int64
    public let count: Int

    public init(
        source: UInt64,
        sourceHandle: UInt64,
        sourceOffset: Int64,
        target: UInt64,
        targetHandle: UInt64,
        targetOffset: Int64,
        count: Int
    ) {
        self.source = source
        self.sourceHandle = sourceHandle
        self.sourceOffset = sourceOffset
        self.target = target
        self.targetHandle = targetHandle
        self.targetOffset = targetOffset
        self.count = count
    }
}
