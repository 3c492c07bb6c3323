public import DaleksCore

/// SHA-256 over bytes as they come.
///
/// ## Concurrency
/// A value has one owner; it may move to another thread.
// Unchecked: the context behind it is reached through this one value only, which cannot be copied.
public struct SHA256: ~Copyable, @unchecked Sendable {
    private var context: DigestContext

    public init() { context = DigestContext(FetchedAlgorithms.sha256) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) { context.update(bytes) }

    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { context.update($0) } }

    public mutating func update(_ bytes: RawSpan) { bytes.withUnsafeBytes { context.update($0) } }

    public consuming func finalize() -> Digest { context.finalizeSHA256() }

    public static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }

    public static func digest(of bytes: [UInt8]) -> Digest {
        bytes.withUnsafeBytes { digest(of: $0) }
    }
}
