import CFuse

/// Who asks.
public struct FUSERequest: Hashable, Sendable {
    public let userID: UInt32
    public let groupID: UInt32
    /// The calling thread; 0 when the kernel asks by itself (readahead, write-back) or from outside our pid namespace.
    public let processID: Int32
    /// Only with create, mknod and mkdir, and only meant to be applied when `kernelAppliesUmask` is off.
    public let umask: UInt32

    public init(userID: UInt32, groupID: UInt32, processID: Int32, umask: UInt32) {
        self.userID = userID
        self.groupID = groupID
        self.processID = processID
        self.umask = umask
    }

    @inline(__always)
    init(_ raw: OpaquePointer) {
        guard let context = fuse_req_ctx(raw) else {
            self.init(userID: 0, groupID: 0, processID: 0, umask: 0)
            return
        }
        self.init(
            userID: context.pointee.uid,
            groupID: context.pointee.gid,
            processID: context.pointee.pid,
            umask: context.pointee.umask
        )
    }
}
