import COpenSSL
import DaleksCore
import DaleksSystem

/// AES-256-GCM with a random nonce in front: nonce (12) · ciphertext · tag (16).
///
/// Random nonces are safe for 2³² messages under one key; whoever seals more derives a key for each purpose or period.
public enum AEAD {
    public static let keyBytes = 32
    public static let overheadBytes = nonceBytes + tagBytes

    private static let nonceBytes = 12
    private static let tagBytes = 16

    /// What `open` needs again: the key, and `context`, which is not stored but bound to the message (whose it is).
    public static func seal(_ message: [UInt8], key: [UInt8], context: [UInt8] = []) -> [UInt8] {
        precondition(message.count <= Limits.Crypto.sealedBytesMax, "larger things are sealed in pieces")
        let nonce = Random.bytes(count: nonceBytes)
        let cipher = CipherContext(key: key, nonce: nonce, encrypts: true)
        cipher.bind(context)
        let ciphertext = cipher.transform(message)
        return nonce + ciphertext + cipher.finishedTag(byteCount: tagBytes)
    }

    /// Throws `notAuthentic` for anything that `seal` did not make with this key and context.
    public static func open(
        _ sealed: [UInt8],
        key: [UInt8],
        context: [UInt8] = []
    ) throws(CryptoError) -> [UInt8] {
        guard sealed.count >= overheadBytes, sealed.count <= Limits.Crypto.sealedBytesMax + overheadBytes else {
            throw .notAuthentic
        }
        let cipher = CipherContext(key: key, nonce: Array(sealed[..<nonceBytes]), encrypts: false)
        cipher.bind(context)
        let message = cipher.transform(Array(sealed[nonceBytes..<(sealed.count - tagBytes)]))
        guard cipher.finish(expecting: Array(sealed[(sealed.count - tagBytes)...])) else { throw .notAuthentic }
        return message
    }
}

/// One run of AES-256-GCM.
private struct CipherContext: ~Copyable {
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
        guard !context.isEmpty else { return }
        var count: Int32 = 0
        let bound = EVP_CipherUpdate(raw, nil, &count, context, Int32(context.count))
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
