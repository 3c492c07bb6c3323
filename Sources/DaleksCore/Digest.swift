/// A SHA-256 value, inline: comparing and hashing one touches no heap.
public struct Digest: Hashable, Sendable {
    public let words: InlineWords

    /// Four words, most significant first. A struct and not a tuple so that it is Hashable.
    public struct InlineWords: Hashable, Sendable {
        var first: UInt64
        var second: UInt64
        var third: UInt64
        var fourth: UInt64
    }

    public static let byteCount = 32

    /// Exactly 32 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        // Byte by byte through witnesses costs a hundred times more, and a page of a manifest has many digests.
        if let digest = bytes.withContiguousStorageIfAvailable({ Self(UnsafeRawBufferPointer($0)) }) {
            self = digest
            return
        }
        var words: [UInt64] = [0, 0, 0, 0]
        for (position, byte) in bytes.enumerated() { words[position / 8] = words[position / 8] << 8 | UInt64(byte) }
        self.words = InlineWords(first: words[0], second: words[1], third: words[2], fourth: words[3])
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        func word(_ position: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        }
        words = InlineWords(first: word(0), second: word(8), third: word(16), fourth: word(24))
    }

    /// Exactly 64 lower-case hexadecimal digits.
    public init?(_ text: some StringProtocol) { self.init(String(text)) }

    /// The same. Not generic over the text: every chunk is named so.
    public init?(_ text: String) {
        var text = text
        let words = text.withUTF8 { digits -> ((UInt64, UInt64), (UInt64, UInt64))? in
            guard digits.count == 64, let front = Hex.twoWords(in: UnsafeBufferPointer(rebasing: digits[..<32])),
                let back = Hex.twoWords(in: UnsafeBufferPointer(rebasing: digits[32...]))
            else { return nil }
            return (front, back)
        }
        guard let ((first, second), (third, fourth)) = words else { return nil }
        self.words = InlineWords(first: first, second: second, third: third, fourth: fourth)
    }

    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            withRawBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
            count = Self.byteCount
        }
    }
}

extension Digest: CustomStringConvertible {
    public var description: String { Hex.encode(bytes) }
}
