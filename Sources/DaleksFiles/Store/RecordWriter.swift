import DaleksCore

/// Writes the compact records that the database keeps as blobs: numbers as varints, identifiers and digests as they
/// are.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    init(reservingBytes capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    /// Seven bits a byte, the lowest first.
    mutating func number(_ value: some FixedWidthInteger & UnsignedInteger) {
        var rest = UInt64(value)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func count(_ value: Int) {
        precondition(value >= 0, "a count is not negative")
        number(UInt(value))
    }

    /// Small magnitudes of either sign are short.
    mutating func signed(_ value: Int64) { number(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

    mutating func identifier<Kind>(_ identifier: Identifier<Kind>) {
        word(identifier.high)
        word(identifier.low)
    }

    mutating func digest(_ digest: Digest) { bytes.append(contentsOf: digest.bytes) }

    mutating func blob(_ content: [UInt8]) {
        count(content.count)
        bytes.append(contentsOf: content)
    }

    private mutating func word(_ word: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
        }
    }
}
