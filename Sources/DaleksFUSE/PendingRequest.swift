import CFuse
import DaleksSystem
import Glibc

/// The right to answer one kernel request, exactly once. Dropped unanswered, it answers EIO.
///
/// It keeps its session alive, so that an answer that comes late does not meet a stranger's descriptor.
//
// Unchecked: libfuse locks what requests share, and this value, which cannot be copied, is the only one to use its
// request.
struct PendingRequest: ~Copyable, @unchecked Sendable {
    private let raw: OpaquePointer
    private let session: Unmanaged<FUSESession>
    /// Of the interruption handler in the session's table; 0 is none.
    private var interruptKey: UInt64 = 0

    @inline(__always)
    init(_ raw: OpaquePointer, session: Unmanaged<FUSESession>) {
        self.raw = raw
        // Given back in `finish`.
        self.session = session.retain()
    }

    deinit {
        _ = Self.finish(session, interruptKey, isDropped: true) { fuse_reply_err(raw, EIO) }
    }

    /// Sends the answer; false when the kernel did not take it because the connection has ended.
    @inline(__always)
    @discardableResult
    consuming func answer(_ send: (OpaquePointer) -> Int32) -> Bool {
        let (raw, session, key) = (raw, session, interruptKey)
        discard self
        return Self.finish(session, key, isDropped: false) { send(raw) }
    }

    @discardableResult
    consuming func error(_ code: Errno) -> Bool {
        // Zero would be success, and what lies outside libfuse refuses.
        let number = (1..<1_000).contains(code.rawValue) ? code.rawValue : EIO
        return answer { fuse_reply_err($0, number) }
    }

    /// Whether data may go from a descriptor to the kernel without passing through our memory.
    var splicesReplies: Bool { session._withUnsafeGuaranteedRef { $0.options.splicesReplies } }

    /// `handler` is called, at most once, if the caller is interrupted before the answer; it takes the place of the one
    /// before. Where the interruption came already, libfuse remembers that and calls this one at once.
    mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) {
        if interruptKey != 0 { session._withUnsafeGuaranteedRef { $0.interrupts.remove(interruptKey) } }
        let key = session._withUnsafeGuaranteedRef { $0.interrupts.add(handler) }
        interruptKey = key
        // What C keeps is a number and not a pointer: libfuse may read it, be overtaken by the answer, and call after.
        fuse_req_interrupt_func(raw, { Callbacks.interrupted($0, $1) }, UnsafeMutableRawPointer(bitPattern: UInt(key)))
    }

    @inline(__always)
    private static func finish(
        _ session: Unmanaged<FUSESession>,
        _ key: UInt64,
        isDropped: Bool,
        _ send: () -> Int32
    ) -> Bool {
        if key != 0 { session._withUnsafeGuaranteedRef { $0.interrupts.remove(key) } }
        if isDropped { session._withUnsafeGuaranteedRef { $0.logger.error("request dropped unanswered") } }
        let result = send()
        session.release()
        return result == 0
    }
}
