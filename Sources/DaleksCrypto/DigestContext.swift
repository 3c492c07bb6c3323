import COpenSSL

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
            precondition(EVP_DigestFinal_ex(raw, buffer.baseAddress, nil) == 1, "a hash could not be finished")
            count = byteCount
        }
    }
}
