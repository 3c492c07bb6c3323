import Glibc

/// An address of IPv4 or IPv6. IPv4 is kept as the IPv6 that maps it, so that both compare alike.
public struct IPAddress: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(version4 address: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(address))
    }

    /// Reads `127.0.0.1`, `::1` and `[::1]`.
    public init?(_ text: some StringProtocol) {
        var text = String(text)
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        var four: UInt32 = 0
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(version4: UInt32(bigEndian: four))
            return
        }
        var words: (UInt64, UInt64) = (0, 0)
        guard withUnsafeMutableBytes(of: &words, { inet_pton(AF_INET6, text, $0.baseAddress) }) == 1 else { return nil }
        self.init(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }

    public static let loopback = IPAddress(version4: 0x7f00_0001)

    public var isVersion4: Bool { high == 0 && low >> 32 == 0xffff }

    /// What one customer usually has: an IPv4 address, or the /64 that an IPv6 network is given.
    public var site: IPAddress { isVersion4 ? self : IPAddress(high: high, low: 0) }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let size = socklen_t(buffer.count)
        if isVersion4 {
            var four = UInt32(truncatingIfNeeded: low).bigEndian
            inet_ntop(AF_INET, &four, &buffer, size)
        } else {
            var words = (high.bigEndian, low.bigEndian)
            _ = withUnsafeBytes(of: &words) { inet_ntop(AF_INET6, $0.baseAddress, &buffer, size) }
        }
        return buffer.withUnsafeBufferPointer { text in text.baseAddress.map { String(cString: $0) } ?? "" }
    }
}

/// Who sent a request: the connection's peer, or whom a trusted proxy named.
public struct ClientAddress: Hashable, Sendable {
    public let address: IPAddress
    /// Zero where a proxy named the address.
    public let port: UInt16

    public init(address: IPAddress, port: UInt16 = 0) {
        self.address = address
        self.port = port
    }

    public static let loopback = ClientAddress(address: .loopback)
}

extension ClientAddress: CustomStringConvertible {
    public var description: String { address.description }
}
