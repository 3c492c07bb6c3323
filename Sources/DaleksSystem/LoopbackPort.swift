import Glibc

/// TCP on 127.0.0.1: for programs of this machine.
public enum LoopbackPort {
    /// Listens; `UnixSocket.accept` waits for callers.
    public static func listen(_ port: UInt16) throws(Errno) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let raw = socket(AF_INET, type, 0)
        if raw == -1 { throw Errno.last }
        let listener = FileDescriptor(owning: raw)
        var isReused: Int32 = 1
        try checking {
            setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try checking {
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    bind(raw, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        try checking { Glibc.listen(raw, 16) }
        return listener
    }
}
