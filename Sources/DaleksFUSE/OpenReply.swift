import CFuse
public import DaleksSystem

/// Answers an open.
public struct OpenReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    /// `handle` comes back with every request on this open.
    @discardableResult
    public consuming func opened(handle: UInt64, options: FUSEOpenOptions = []) -> Bool {
        var info = options.fileInfo(handle: handle)
        return pending.answer { fuse_reply_open($0, &info) }
    }

    /// ENOSYS is answered as EOPNOTSUPP: the kernel would never ask again, for any file, and take every open for good.
    @discardableResult
    public consuming func error(_ code: Errno) -> Bool {
        pending.error(code == .notImplemented ? .notSupported : code)
    }

    /// Of a folder: the kernel opens and closes all folders by itself from now on, and keeps what it listed until their
    /// pages are invalidated.
    @discardableResult
    public consuming func leavesFoldersToKernel() -> Bool { pending.error(.notImplemented) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
