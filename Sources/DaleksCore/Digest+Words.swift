/// A digest in and out of memory without an array between: the databases bind and read them by the thousand.
extension Digest {
    /// The 32 bytes at the start of the buffer, which holds exactly them.
    public init?(rawBytes buffer: UnsafeRawBufferPointer) {
        guard buffer.count == Self.byteCount else { return nil }
        words = InlineWords(
            first: UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
            second: UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            third: UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
            fourth: UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        )
    }

    /// The 32 bytes, on the stack for as long as the closure runs.
    public func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let bigEndian = (words.first.bigEndian, words.second.bigEndian, words.third.bigEndian, words.fourth.bigEndian)
        return withUnsafeBytes(of: bigEndian, body)
    }
}
