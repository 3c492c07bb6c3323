import Glibc

/// Sockets with a name in the file system: how our own programs on one machine speak to each other.
public enum UnixSocket {
    /// Listens at a path that only this user can reach. A socket that a dead process left there is replaced; the caller
    /// holds a lock that says no living one of ours uses it.
    public static func listen(at path: String) throws(Errno) -> FileDescriptor {
        let socket = try make()
        unlink(path)
        try withAddress(path) { address, length throws(Errno) in
            // The mode is settled before anybody can connect: bind obeys the umask, listen comes after.
            try checking { bind(socket.raw, address, length) }
        }
        try checking { chmod(path, 0o600) }
        try checking { Glibc.listen(socket.raw, 16) }
        return socket
    }

    public static func connect(to path: String) throws(Errno) -> FileDescriptor {
        let socket = try make()
        try withAddress(path) { address, length throws(Errno) in
            try checking { Glibc.connect(socket.raw, address, length) }
        }
        return socket
    }

    /// Waits for the next caller. Throws once the listener was shut down.
    public static func accept(on listener: borrowing FileDescriptor) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try retryingInterrupts { Shim.accept(listener.raw) })
    }

    /// Wakes whoever waits in `accept`.
    public static func shutDown(_ socket: borrowing FileDescriptor) { _ = shutdown(socket.raw, Int32(SHUT_RDWR)) }

    /// Bounds how long a read or write of a peer that says nothing may take.
    public static func setTimeout(_ timeout: Duration, on socket: borrowing FileDescriptor) throws(Errno) {
        var value = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        try checking { setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &value, size) }
        try checking { setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &value, size) }
    }

    /// One line from a peer, without its end; nil where the peer closed first.
    public static func readLine(from socket: borrowing FileDescriptor, bytesMax: Int) throws(Errno) -> [UInt8]? {
        var line: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4_096, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let count = try socket.read(into: buffer)
            guard count > 0 else { return nil }
            for byte in buffer[..<count] {
                if byte == UInt8(ascii: "\n") { return line }
                line.append(byte)
            }
            guard line.count <= bytesMax else { throw .fileTooLarge }
        }
    }

    private static func make() throws(Errno) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        return FileDescriptor(owning: try checking { socket(AF_UNIX, type, 0) })
    }

    private static func withAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Void
    ) throws(Errno) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else { throw .nameTooLong }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        var failure: Errno?
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                do throws(Errno) { try body(address, length) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }
}
