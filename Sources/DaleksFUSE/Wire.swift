import CFuse
import DaleksSystem
import Glibc

/// The three calls by which libfuse reaches the kernel, ours so that we can say what libfuse 3.14 has no words for.
///
/// - The answer to INIT also grants HANDLE_KILLPRIV_V2 and PARALLEL_DIROPS.
/// - The kernel's "this writer may not keep setuid" in OPEN, CREATE and WRITE, which libfuse drops, moves into a bit of
///   the open flags, which it passes on.
/// - Errors that only mean the end of the connection are told to libfuse as such, which prints all others.
///
/// Only fixed places of the kernel's own structures are touched; each is checked to be inside the message.
enum Wire {
    static func interface(splices: Bool) -> fuse_custom_io {
        var interface = fuse_custom_io()
        interface.read = { Wire.read($0, $1, $2, $3) }
        interface.writev = { Wire.writev($0, $1, $2, $3) }
        // libfuse offers spliced replies only with this in place. Without splice_receive it never splices requests.
        if splices { interface.splice_send = { Wire.splice($0, $1, $2, $3, $4, $5, $6) } }
        return interface
    }

    private static func read(
        _ descriptor: Int32,
        _ buffer: UnsafeMutableRawPointer?,
        _ capacity: Int,
        _ data: UnsafeMutableRawPointer?
    ) -> Int {
        let count = Glibc.read(descriptor, buffer, capacity)
        let error = errno
        guard let data, let buffer else { return count }
        // The session lends itself to libfuse and outlives it.
        Unmanaged<FUSESession>.fromOpaque(data)._withUnsafeGuaranteedRef { session in
            guard count >= 0 else {
                // ECONNABORTED is an end too: somebody aborted the connection through sysfs.
                if error == ENODEV || error == ECONNABORTED { session.disconnected() }
                errno = error == ECONNABORTED ? ENODEV : error
                return
            }
            received(UnsafeMutableRawBufferPointer(start: buffer, count: count), for: session)
        }
        return count
    }

    private static func writev(
        _ descriptor: Int32,
        _ parts: UnsafeMutablePointer<iovec>?,
        _ count: Int32,
        _ data: UnsafeMutableRawPointer?
    ) -> Int {
        guard let data else { return Glibc.writev(descriptor, parts, count) }
        return Unmanaged<FUSESession>.fromOpaque(data)._withUnsafeGuaranteedRef { session in
            let isInit = session.willAnswer(UnsafeMutableBufferPointer(start: parts, count: Int(count)))
            let written = Glibc.writev(descriptor, parts, count)
            if written == -1 {
                let error = Errno.last
                session.logger.debug("answer not taken by the kernel", ["error": error])
                // libfuse keeps silent about this one: nobody waits for the answer any more.
                errno = ENOENT
            } else if isInit {
                session.ready.open()
            }
            return written
        }
    }

    private static func splice(
        _ from: Int32,
        _ fromOffset: UnsafeMutablePointer<off_t>?,
        _ to: Int32,
        _ toOffset: UnsafeMutablePointer<off_t>?,
        _ count: Int,
        _ flags: UInt32,
        _ data: UnsafeMutableRawPointer?
    ) -> Int {
        daleks_fuse_splice(from, fromOffset, to, toOffset, count, flags)
    }

    private static let headerBytes = MemoryLayout<fuse_in_header>.size

    @inline(__always)
    private static func received(_ message: UnsafeMutableRawBufferPointer, for session: FUSESession) {
        guard message.count >= headerBytes else { return }
        let opcode = message.load(fromByteOffset: 4, as: UInt32.self)
        switch opcode {
        case FUSE_INIT.rawValue:
            session.offered(in: UnsafeRawBufferPointer(rebasing: message[headerBytes...]))
        case FUSE_WRITE.rawValue:
            guard let body = body(of: message, as: fuse_write_in.self) else { return }
            if body.pointee.write_flags & UInt32(FUSE_WRITE_KILL_SUIDGID) != 0 {
                body.pointee.flags |= FUSEOpenFlags.clearsSetIDBit
            }
        case FUSE_OPEN.rawValue:
            guard let body = body(of: message, as: fuse_open_in.self) else { return }
            if body.pointee.open_flags & UInt32(FUSE_OPEN_KILL_SUIDGID) != 0 {
                body.pointee.flags |= FUSEOpenFlags.clearsSetIDBit
            }
        case FUSE_CREATE.rawValue:
            guard let body = body(of: message, as: fuse_create_in.self) else { return }
            if body.pointee.open_flags & UInt32(FUSE_OPEN_KILL_SUIDGID) != 0 {
                body.pointee.flags |= FUSEOpenFlags.clearsSetIDBit
            }
        default: break
        }
        if session.isTracing { session.traceRequest(UnsafeRawBufferPointer(message)) }
    }

    @inline(__always)
    private static func body<Body>(
        of message: UnsafeMutableRawBufferPointer,
        as type: Body.Type
    ) -> UnsafeMutablePointer<Body>? {
        guard message.count >= headerBytes + MemoryLayout<Body>.size, let base = message.baseAddress else { return nil }
        return (base + headerBytes).assumingMemoryBound(to: Body.self)
    }
}
