import CFuse
import DaleksSystem
import Glibc

/// What libfuse calls, on the session's threads: each finds its file system and hands it the request.
///
/// These are static functions far from any `main`: from there they would inherit the main actor and trap on a thread
/// that libfuse calls them on. Opening and reading files is in `Callbacks+Files.swift`, folders and attributes in
/// `Callbacks+Names.swift`.
enum Callbacks {
    /// All that we answer. No bmap, ioctl and poll: libfuse answers ENOSYS and the kernel does without. No write_buf:
    /// bytes are wanted in memory, where `write` has them without a copy of ours.
    static func operations() -> fuse_lowlevel_ops {
        var operations = fuse_lowlevel_ops()
        operations.`init` = { Callbacks.initialize($0, $1) }
        addNames(&operations)
        addFiles(&operations)
        return operations
    }

    /// Before the answer to INIT: what we want of the kernel.
    private static func initialize(_ data: UnsafeMutableRawPointer?, _ info: UnsafeMutablePointer<fuse_conn_info>?) {
        guard let data, let info else { return }
        // The session lends itself to libfuse and outlives it.
        Unmanaged<FUSESession>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.negotiate(&info.pointee) }
    }

    /// A request that was parked with a handler is interrupted; `key` is the handler's number.
    static func interrupted(_ raw: OpaquePointer?, _ key: UnsafeMutableRawPointer?) {
        guard let raw, let data = fuse_req_userdata(raw) else { return }
        Unmanaged<FUSESession>.fromOpaque(data)._withUnsafeGuaranteedRef {
            $0.interrupts.fire(UInt64(UInt(bitPattern: key)))
        }
    }
}
