import DaleksCore
import DaleksSystem
import Glibc

/// The address that a server listens at, taken: until the server starts, who connects waits.
public final class ListeningSocket: Sendable {
    private let socket: FileDescriptor
    public let port: UInt16

    var descriptor: Int32 { socket.raw }

    /// Port 0 takes any that is free.
    public init(address text: String, port: UInt16) throws(HTTPServerError) {
        guard let address = IPAddress(text) else { throw .badAddress(text) }
        do throws(Errno) {
            socket = try Self.open(address, port)
            self.port = try Self.boundPort(of: socket.raw)
        } catch .addressInUse {
            throw .addressInUse(text, port: port)
        } catch {
            throw .cannotListen(text, port: port, reason: "\(error)")
        }
    }

    private static func open(_ address: IPAddress, _ port: UInt16) throws(Errno) -> FileDescriptor {
        let family = address.isVersion4 ? AF_INET : AF_INET6
        let socket = FileDescriptor(owning: try checking { SocketCalls.stream(family: family) })
        // Without it a restart would have to wait until the last connections are forgotten.
        var yes: Int32 = 1
        try checking { setsockopt(socket.raw, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size)) }
        let descriptor = socket.raw
        try withSocketAddress(address, port) { pointer, size throws(Errno) in
            try checking { bind(descriptor, pointer, size) }
        }
        try checking { listen(descriptor, Limits.HTTPServer.acceptBacklog) }
        return socket
    }

    private static func withSocketAddress(
        _ address: IPAddress,
        _ port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Void
    ) throws(Errno) {
        var storage = sockaddr_storage()
        let size: Int
        if address.isVersion4 {
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            four.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: four, as: sockaddr_in.self) }
            size = MemoryLayout<sockaddr_in>.size
        } else {
            var six = sockaddr_in6()
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &six.sin6_addr) {
                $0.storeBytes(of: address.high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: six, as: sockaddr_in6.self) }
            size = MemoryLayout<sockaddr_in6>.size
        }
        var failure: Errno?
        withUnsafeBytes(of: &storage) { bytes in
            guard let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress else { return }
            do throws(Errno) { try body(pointer, socklen_t(size)) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private static func boundPort(of descriptor: Int32) throws(Errno) -> UInt16 {
        var peer = PeerAddress()
        try checking { peer.fill { getsockname(descriptor, $0, $1) } }
        return peer.client.port
    }

    /// One waiting connection; nil where there is none now.
    func accept() throws(Errno) -> (descriptor: Int32, peer: PeerAddress)? {
        var peer = PeerAddress()
        let descriptor = peer.fill { address, count in SocketCalls.accept(socket.raw, address, &count.pointee) }
        if descriptor >= 0 { return (descriptor, peer) }
        switch Errno.last {
        // A connection that ended while it waited is no failure of ours.
        case .tryAgain, .interrupted, Errno(rawValue: ECONNABORTED), Errno(rawValue: EPROTO): return nil
        case let error: throw error
        }
    }
}

/// A socket address as the kernel fills it in.
struct PeerAddress {
    private var storage = sockaddr_storage()
    private var size = socklen_t(MemoryLayout<sockaddr_storage>.size)

    mutating func fill<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> Result {
        withUnsafeMutableBytes(of: &storage) { bytes in
            body(bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, &size)
        }
    }

    func withBytes<Result>(_ body: (UnsafeRawPointer?, UInt32) -> Result) -> Result {
        withUnsafeBytes(of: storage) { body($0.baseAddress, size) }
    }

    var client: ClientAddress {
        withUnsafeBytes(of: storage) { bytes in
            if storage.ss_family == sa_family_t(AF_INET) {
                let four = bytes.load(as: sockaddr_in.self)
                let address = IPAddress(version4: UInt32(bigEndian: four.sin_addr.s_addr))
                return ClientAddress(address: address, port: UInt16(bigEndian: four.sin_port))
            }
            guard storage.ss_family == sa_family_t(AF_INET6) else { return .loopback }
            let six = bytes.load(as: sockaddr_in6.self)
            let address = withUnsafeBytes(of: six.sin6_addr) {
                IPAddress(
                    high: UInt64(bigEndian: $0.load(as: UInt64.self)),
                    low: UInt64(bigEndian: $0.load(fromByteOffset: 8, as: UInt64.self))
                )
            }
            return ClientAddress(address: address, port: UInt16(bigEndian: six.sin6_port))
        }
    }
}
