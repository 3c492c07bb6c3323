import CFuse
public import DaleksSystem

/// Answers an extended attribute's value, or the names of all.
public struct XattrReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest
    /// What the caller has room for; 0 asks for the size alone.
    public let capacity: Int

    @inline(__always)
    init(_ pending: consuming PendingRequest, capacity: Int) {
        self.pending = pending
        self.capacity = capacity
    }

    /// The value, its size, or ERANGE: whichever the caller asked for and has room for.
    @discardableResult
    public consuming func value(_ value: UnsafeRawBufferPointer) -> Bool {
        if capacity == 0 { return pending.answer { fuse_reply_xattr($0, value.count) } }
        guard value.count <= capacity else { return pending.error(.outOfRange) }
        return pending.answer { raw in
            fuse_reply_buf(raw, value.baseAddress?.assumingMemoryBound(to: CChar.self), value.count)
        }
    }

    @discardableResult
    public consuming func value(_ value: [UInt8]) -> Bool {
        var slot: XattrReply? = self
        return value.withUnsafeBytes { bytes in slot.take()?.value(bytes) ?? false }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
