/// SHA-1, only where a protocol of others asks for it (the checksums of tus, one-time passwords): it protects against
/// accidents, no longer against people.
///
/// ## Concurrency
/// A value has one owner; it may move to another thread.
// Unchecked: the context behind it is reached through this one value only, which cannot be copied.
public struct SHA1: ~Copyable, @unchecked Sendable {
    public static let byteCount = 20

    private var context: DigestContext

    public init() { context = DigestContext(FetchedAlgorithms.sha1) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) { context.update(bytes) }

    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { context.update($0) } }

    public consuming func finalize() -> [UInt8] { context.finalize(byteCount: Self.byteCount) }

    public static func digest(of bytes: [UInt8]) -> [UInt8] {
        var hash = SHA1()
        hash.update(bytes)
        return hash.finalize()
    }
}
