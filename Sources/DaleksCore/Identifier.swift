/// A 128-bit name that its maker draws without asking anybody: 48 bits of milliseconds, then 80 random bits.
///
/// The time in front keeps rows made together close together in an index; nothing else may be read out of it.
public struct Identifier<Kind>: Hashable, Sendable, Comparable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes one from the present and random bits that the caller draws (this module has no source of either).
    public init(at time: Timestamp, random: (UInt64, UInt64)) {
        let milliseconds = UInt64(clamping: time.nanoseconds / 1_000_000) & 0xffff_ffff_ffff
        high = milliseconds << 16 | random.0 & 0xffff
        low = random.1
    }

    /// Exactly 32 lower-case hexadecimal digits.
    public init?(_ text: some StringProtocol) { self.init(String(text)) }

    /// The same. Not generic over the text: nearly all that goes over the wire names nodes.
    public init?(_ text: String) {
        var text = text
        guard let words = text.withUTF8({ Hex.twoWords(in: $0) }) else { return nil }
        self.init(high: words.0, low: words.1)
    }

    /// Exactly 16 bytes, most significant first.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        let known = bytes.withContiguousStorageIfAvailable { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            return Self(
                high: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                low: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        if let known {
            self = known
            return
        }
        var words: (UInt64, UInt64) = (0, 0)
        for (position, byte) in bytes.enumerated() {
            if position < 8 {
                words.0 = words.0 << 8 | UInt64(byte)
            } else {
                words.1 = words.1 << 8 | UInt64(byte)
            }
        }
        self.init(high: words.0, low: words.1)
    }

    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            for position in 0..<8 {
                buffer[position] = UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * position))
                buffer[position + 8] = UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * position))
            }
            count = 16
        }
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension Identifier: CustomStringConvertible {
    public var description: String { Hex.encode(high, low) }
}

public enum NodeKindTag {}
public enum UserKindTag {}
public enum DeviceKindTag {}
public enum SessionKindTag {}

/// A file, folder, link, pipe or socket in some region's tree.
public typealias NodeID = Identifier<NodeKindTag>
/// A person. Regions know people by this and nothing else.
public typealias UserID = Identifier<UserKindTag>
/// One installation's journal: the region keeps idempotence by (device, sequence).
public typealias DeviceID = Identifier<DeviceKindTag>
/// One log-in, the `sid` of its tokens.
public typealias SessionID = Identifier<SessionKindTag>
