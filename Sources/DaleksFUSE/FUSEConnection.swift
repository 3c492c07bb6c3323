/// What kernel and adapter agreed on.
public struct FUSEConnection: Hashable, Sendable {
    public let protocolMajor: UInt32
    public let protocolMinor: UInt32
    public let offered: FUSECapabilities
    public let granted: FUSECapabilities
    public let writeBytesMax: UInt32
    public let readaheadBytesMax: UInt32
    /// Data may go from a file descriptor to the kernel without passing through our memory.
    public let splicesReplies: Bool
}
