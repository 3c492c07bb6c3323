import COpenSSL

/// Keys of kinds that we refuse, made by the library directly.
enum OtherKeys {
    static let secp384 = pem("EC") { EVP_PKEY_CTX_set_group_name($0, "P-384") }
    static let ed25519 = pem("ED25519") { _ in 1 }
    static let rsa1024 = pem("RSA") { EVP_PKEY_CTX_set_rsa_keygen_bits($0, 1_024) }
    static let encrypted = pem("EC", password: "secret") { EVP_PKEY_CTX_set_group_name($0, "P-256") }

    private static func pem(
        _ type: String,
        password: String? = nil,
        _ configure: (OpaquePointer?) -> Int32
    ) -> String {
        let context = EVP_PKEY_CTX_new_from_name(nil, type, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        precondition(EVP_PKEY_keygen_init(context) == 1 && configure(context) == 1)
        precondition(EVP_PKEY_generate(context, &key) == 1)
        defer { EVP_PKEY_free(key) }
        let bio = TestKeys.made(BIO_new(BIO_s_mem()))
        defer { BIO_free(bio) }
        let cipher = password == nil ? nil : EVP_aes_256_cbc()
        let word = password.map { Array($0.utf8CString) } ?? []
        precondition(
            PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, word, Int32(max(0, word.count - 1)), nil, nil) == 1
        )
        var start: UnsafePointer<CChar>?
        let count = daleks_bio_memory(bio, &start)
        return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
}
