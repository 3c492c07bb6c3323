public import DaleksSystem
import Glibc

/// TCP on 127.0.0.1, for servers and proxies that tests make themselves.
public enum LoopbackSocket {
    /// A listening socket on that port; 0 takes a free one.
    public static func listen(port: UInt16 = 0, backlog: Int32 = 512) throws(Errno) -> FileDescriptor {
        let listener = try make()
        setOption(listener.raw, SOL_SOCKET, SO_REUSEADDR)
        try withAddress(port) { (address, length) throws(Errno) in
            try checking { bind(listener.raw, address, length) }
        }
        try checking { Glibc.listen(listener.raw, backlog) }
        return listener
    }

    public static func connect(port: UInt16) throws(Errno) -> FileDescriptor {
        let descriptor = try make()
        try withAddress(port) { (address, length) throws(Errno) in
            _ = try retryingInterrupts { Glibc.connect(descriptor.raw, address, length) }
        }
        setOption(descriptor.raw, Int32(IPPROTO_TCP), TCP_NODELAY)
        return descriptor
    }

    public static func accept(from listener: Int32) throws(Errno) -> FileDescriptor {
        let raw = try retryingInterrupts { Glibc.accept(listener, nil, nil) }
        setOption(raw, Int32(IPPROTO_TCP), TCP_NODELAY)
        // Duplicated because that is how a descriptor gets its close-on-exec mark here.
        let accepted = FileDescriptor(owning: raw)
        return try accepted.duplicate()
    }

    public static func port(of descriptor: borrowing FileDescriptor) throws(Errno) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let raw = descriptor.raw
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &length) }
        }
        if result != 0 { throw Errno.last }
        return UInt16(bigEndian: address.sin_port)
    }

    /// A port that was free a moment ago, for programs that must be told one.
    public static func freePort() throws(Errno) -> UInt16 {
        let listener = try listen()
        return try port(of: listener)
    }

    /// Two connected ends, for waking a thread that polls.
    static func pair() throws(Errno) -> [Int32] {
        var ends: [Int32] = [-1, -1]
        try checking { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) }
        return ends
    }

    /// When the descriptor closes, the peer gets a reset and not an end.
    public static func resetOnClose(_ raw: Int32) {
        var setting = linger(l_onoff: 1, l_linger: 0)
        setsockopt(raw, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
    }

    private static func make() throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try checking { socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        )
    }

    private static func setOption(_ raw: Int32, _ level: Int32, _ option: Int32) {
        var one: Int32 = 1
        setsockopt(raw, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func withAddress(
        _ port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Void
    ) throws(Errno) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var failure: Errno?
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                do throws(Errno) {
                    try body(address, socklen_t(MemoryLayout<sockaddr_in>.size))
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }
}
