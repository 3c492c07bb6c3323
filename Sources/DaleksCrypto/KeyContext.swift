import COpenSSL

/// One operation with a key.
struct KeyContext: ~Copyable {
    let raw: OpaquePointer

    init(_ key: NativeKey) throws(CryptoError) {
        guard let raw = EVP_PKEY_CTX_new_from_pkey(nil, key.raw, nil) else {
            throw LibraryErrors.failure("using a key")
        }
        self.raw = raw
    }

    init(type: String) throws(CryptoError) {
        guard let raw = EVP_PKEY_CTX_new_from_name(nil, type, nil) else {
            throw LibraryErrors.failure("making a key")
        }
        self.raw = raw
    }

    deinit { EVP_PKEY_CTX_free(raw) }

    /// After the operation was begun: what the algorithm says about padding and hash.
    borrowing func configure(_ algorithm: SignatureAlgorithm) throws(CryptoError) {
        guard algorithm == .rs256 else { return }
        guard EVP_PKEY_CTX_set_rsa_padding(raw, RSA_PKCS1_PADDING) == 1,
            EVP_PKEY_CTX_set_signature_md(raw, FetchedAlgorithms.sha256) == 1
        else { throw LibraryErrors.failure("using a key") }
    }
}
