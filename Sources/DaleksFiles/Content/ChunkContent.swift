import DaleksCore
import DaleksCrypto

/// Bytes whose digest is known to be theirs: there is no way to make one without hashing.
struct ChunkContent: Sendable {
    let digest: Digest
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        digest = SHA256.digest(of: bytes)
        self.bytes = bytes
    }

    /// Nil where the bytes are not what they claim to be.
    init?(_ bytes: [UInt8], claimedToBe claimed: Digest) {
        self.init(bytes)
        guard digest == claimed else { return nil }
    }
}
