/// A block of addresses, such as `10.0.0.0/8` or `fd00::/8`; a lone address is a block of one.
public struct CIDR: Hashable, Sendable {
    private let network: IPAddress
    /// Bits of the 128 that count.
    private let bits: Int

    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let address = IPAddress(parts[0]) else { return nil }
        let width = address.isVersion4 ? 32 : 128
        var length = width
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...width).contains(given) else { return nil }
            length = given
        }
        bits = 128 - width + length
        network = Self.masked(address, bits: bits)
    }

    public func contains(_ address: IPAddress) -> Bool { Self.masked(address, bits: bits) == network }

    private static func masked(_ address: IPAddress, bits: Int) -> IPAddress {
        // Swift's shifts give zero where the width is passed.
        let high = bits >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(bits))
        let low = bits >= 128 ? UInt64.max : bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
        return IPAddress(high: address.high & high, low: address.low & low)
    }
}
