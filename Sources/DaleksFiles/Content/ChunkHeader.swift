import DaleksCore

/// What stands before each chunk in a segment: enough to find and check every chunk without the database.
///
/// | bytes | what |
/// |---|---|
/// | 0–3 | `DLKC` |
/// | 4 | version, 1 |
/// | 5 | compression |
/// | 6–7 | zero |
/// | 8–11 | stored bytes, big-endian |
/// | 12–15 | raw bytes, big-endian |
/// | 16–47 | SHA-256 of the raw bytes |
/// | 48–55 | zero |
/// | 56–63 | FNV-1a of the 56 bytes before |
///
/// Records begin at multiples of 64 bytes, so that a reader without the index finds the next one behind a torn one.
struct ChunkHeader: Hashable, Sendable {
    static let byteCount = 64
    static let alignment: Int64 = 64
    private static let magic = Array("DLKC".utf8)
    private static let version: UInt8 = 1

    var digest: Digest
    var storedBytes: Int
    var rawBytes: Int
    var compression: ChunkLocation.Compression

    init(digest: Digest, storedBytes: Int, rawBytes: Int, compression: ChunkLocation.Compression) {
        self.digest = digest
        self.storedBytes = storedBytes
        self.rawBytes = rawBytes
        self.compression = compression
    }

    var bytes: [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(Self.byteCount)
        bytes += [Self.version, compression.rawValue, 0, 0]
        bytes += Self.word(UInt32(storedBytes)) + Self.word(UInt32(rawBytes))
        bytes += digest.bytes
        bytes += [UInt8](repeating: 0, count: 8)
        let sum = Self.checksum(bytes[...])
        return bytes + Self.word(UInt32(truncatingIfNeeded: sum >> 32)) + Self.word(UInt32(truncatingIfNeeded: sum))
    }

    /// Nil where no whole header stands.
    init?(bytes: ArraySlice<UInt8>) {
        guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic) else { return nil }
        let bytes = Array(bytes)
        guard bytes[4] == Self.version, let compression = ChunkLocation.Compression(rawValue: bytes[5]),
            let digest = Digest(bytes: bytes[16..<48])
        else { return nil }
        let sum = Self.checksum(bytes[..<56])
        guard Self.number(bytes[56..<60]) == UInt32(truncatingIfNeeded: sum >> 32),
            Self.number(bytes[60..<64]) == UInt32(truncatingIfNeeded: sum)
        else { return nil }
        self.init(
            digest: digest,
            storedBytes: Int(Self.number(bytes[8..<12])),
            rawBytes: Int(Self.number(bytes[12..<16])),
            compression: compression
        )
    }

    /// It finds what a torn write left, which is all it is for; content is proved by its digest.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    private static func word(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
}
