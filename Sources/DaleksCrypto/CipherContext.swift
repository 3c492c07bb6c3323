import COpenSSL

/// One run of AES-256-GCM.
struct CipherContext: ~Copyable {
    private let raw: OpaquePointer
    private let encrypts: Bool

    init(key: [UInt8], nonce: [UInt8], encrypts: Bool) {
        precondition(
            key.count == AEAD.keyBytes && nonce.count == 12,
            "AES-256-GCM has keys of 32 and nonces of 12 bytes"
        )
        guard let raw = EVP_CIPHER_CTX_new() else { preconditionFailure("no memory for a cipher") }
        self.raw = raw
        self.encrypts = encrypts
        let started = EVP_CipherInit_ex2(raw, FetchedAlgorithms.aes256GCM, key, nonce, encrypts ? 1 : 0, nil)
        precondition(started == 1, "a cipher could not be started")
    }

    deinit { EVP_CIPHER_CTX_free(raw) }

    borrowing func bind(_ context: [UInt8]) {
        context.withUnsafeBytes { bind($0) }
    }

    borrowing func bind(_ context: UnsafeRawBufferPointer) {
        guard !context.isEmpty else { return }
        var count: Int32 = 0
        let bytes = context.assumingMemoryBound(to: UInt8.self)
        let bound = EVP_CipherUpdate(raw, nil, &count, bytes.baseAddress, Int32(bytes.count))
        precondition(bound == 1, "a cipher refused its context")
    }

    borrowing func transform(_ input: [UInt8]) -> [UInt8] {
        guard !input.isEmpty else { return [] }
        return [UInt8](unsafeUninitializedCapacity: input.count) { buffer, written in
            var count: Int32 = 0
            let done = EVP_CipherUpdate(raw, buffer.baseAddress, &count, input, Int32(input.count))
            precondition(done == 1 && Int(count) == input.count, "a cipher refused its input")
            written = input.count
        }
    }

    borrowing func finishedTag(byteCount: Int) -> [UInt8] {
        var count: Int32 = 0
        var rest: UInt8 = 0
        precondition(EVP_CipherFinal_ex(raw, &rest, &count) == 1, "a cipher could not be finished")
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, written in
            let got = EVP_CIPHER_CTX_ctrl(raw, EVP_CTRL_AEAD_GET_TAG, Int32(byteCount), buffer.baseAddress)
            precondition(got == 1, "a cipher gave no tag")
            written = byteCount
        }
    }

    /// False where the tag does not match; the message must not be used then.
    borrowing func finish(expecting tag: [UInt8]) -> Bool {
        var tag = tag
        let set = EVP_CIPHER_CTX_ctrl(raw, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag)
        precondition(set == 1, "a cipher refused a tag")
        var count: Int32 = 0
        var rest: UInt8 = 0
        guard EVP_CipherFinal_ex(raw, &rest, &count) == 1 else {
            LibraryErrors.clear()
            return false
        }
        return true
    }
}
