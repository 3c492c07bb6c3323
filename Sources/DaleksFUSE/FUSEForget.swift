/// References that the kernel gives back; see `FUSEEntry`.
public struct FUSEForget: Hashable, Sendable {
    public let inode: UInt64
    public let count: UInt64

    public init(inode: UInt64, count: UInt64) {
        self.inode = inode
        self.count = count
    }
}
