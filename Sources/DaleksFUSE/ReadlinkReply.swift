import CFuse
public import DaleksSystem

/// Answers where a symbolic link points.
public struct ReadlinkReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest

    @inline(__always)
    init(_ pending: consuming PendingRequest) { self.pending = pending }

    @discardableResult
    public consuming func target(_ target: UnsafeBufferPointer<UInt8>) -> Bool {
        pending.answer { raw in
            // fuse_reply_readlink would want a terminator; the kernel wants the bytes alone.
            target.withMemoryRebound(to: CChar.self) { fuse_reply_buf(raw, $0.baseAddress, $0.count) }
        }
    }

    @discardableResult
    public consuming func target(_ target: [UInt8]) -> Bool {
        pending.answer { raw in
            target.withUnsafeBytes {
                fuse_reply_buf(raw, $0.bindMemory(to: CChar.self).baseAddress, $0.count)
            }
        }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
