import COpenSSL
import DaleksCore

/// One running hash of the library.
struct DigestContext: ~Copyable {
    private let raw: OpaquePointer

    init(_ algorithm: OpaquePointer) {
        guard let raw = EVP_MD_CTX_new() else { preconditionFailure("no memory for a hash") }
        self.raw = raw
        precondition(EVP_DigestInit_ex2(raw, algorithm, nil) == 1, "a hash could not be started")
    }

    deinit { EVP_MD_CTX_free(raw) }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        precondition(EVP_DigestUpdate(raw, start, bytes.count) == 1, "a hash could not be continued")
    }

    consuming func finalize(byteCount: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            finalize(into: UnsafeMutableRawBufferPointer(buffer))
            count = byteCount
        }
    }

    /// Fills the buffer, which must have room for the whole hash. Only once.
    private borrowing func finalize(into buffer: UnsafeMutableRawBufferPointer) {
        let start = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        precondition(EVP_DigestFinal_ex(raw, start, nil) == 1, "a hash could not be finished")
    }

    /// Without an array in between.
    consuming func finalizeSHA256() -> Digest {
        withUnsafeTemporaryAllocation(byteCount: Digest.byteCount, alignment: 8) { buffer in
            finalize(into: buffer)
            guard let digest = Digest(rawBytes: UnsafeRawBufferPointer(buffer)) else {
                preconditionFailure("SHA-256 has 32 bytes")
            }
            return digest
        }
    }
}
