import COpenSSL
import DaleksCore

/// A private key that signs tokens. It leaves the process only as PKCS#8 text, for its own file.
///
/// ## Concurrency
/// Immutable; any number of threads may sign at a time.
public final class SigningKey: Sendable {
    let native: NativeKey
    public let publicKey: VerificationKey

    public var algorithm: SignatureAlgorithm { native.algorithm }

    init(_ native: NativeKey) throws(CryptoError) {
        self.native = native
        publicKey = try VerificationKey(publicHalfOf: native)
    }

    /// A new key: P-256, or RSA with 3072 bits unless told otherwise (RSA takes up to a second).
    public static func generate(_ algorithm: SignatureAlgorithm, rsaBits: Int = 3_072) throws(CryptoError) -> SigningKey
    {
        let context = try KeyContext(type: algorithm == .es256 ? "EC" : "RSA")
        guard EVP_PKEY_keygen_init(context.raw) == 1 else { throw LibraryErrors.failure("making a key") }
        switch algorithm {
        case .es256:
            guard EVP_PKEY_CTX_set_group_name(context.raw, "prime256v1") == 1 else {
                throw LibraryErrors.failure("making a key")
            }
        case .rs256:
            guard Limits.Crypto.rsaBits.contains(rsaBits) else { throw .unsupported("an RSA key of \(rsaBits) bits") }
            guard EVP_PKEY_CTX_set_rsa_keygen_bits(context.raw, Int32(rsaBits)) == 1 else {
                throw LibraryErrors.failure("making a key")
            }
        }
        var raw: OpaquePointer?
        guard EVP_PKEY_generate(context.raw, &raw) == 1, let raw else { throw LibraryErrors.failure("making a key") }
        return try SigningKey(NativeKey(owning: raw))
    }

    /// Reads one unencrypted PKCS#8 key (`BEGIN PRIVATE KEY`) and tries it before it is trusted.
    public convenience init(pkcs8PEM text: String) throws(CryptoError) {
        let der = try PEM.decode(text, label: "PRIVATE KEY")
        var cursor: UnsafePointer<UInt8>?
        let raw: OpaquePointer? = der.withUnsafeBufferPointer { buffer in
            cursor = buffer.baseAddress
            guard let info = d2i_PKCS8_PRIV_KEY_INFO(nil, &cursor, buffer.count) else { return nil }
            defer { PKCS8_PRIV_KEY_INFO_free(info) }
            guard cursor == buffer.baseAddress.map({ $0 + buffer.count }) else { return nil }
            return EVP_PKCS82PKEY(info)
        }
        guard let raw else {
            LibraryErrors.clear()
            throw .malformed("the text between the PEM lines is not a PKCS#8 private key")
        }
        try self.init(NativeKey(owning: raw))
        // A file whose public half does not belong to its private half would sign what nobody can check.
        let probe = Array("a key is tried before it is trusted".utf8)
        guard publicKey.verify(try native.sign(probe), of: probe) else {
            throw .malformed("the private key does not belong to its public key")
        }
    }

    /// PKCS#8, unencrypted: keep it in a file that only its owner reads.
    public var pem: String {
        get throws(CryptoError) {
            try PEM.written("a private key") { PEM_write_bio_PKCS8PrivateKey($0, native.raw, nil, nil, 0, nil, nil) }
        }
    }

    /// Signs with SHA-256; ES256 signatures are JOSE's 64 bytes `r ‖ s`.
    public func sign(_ message: [UInt8]) -> [UInt8] {
        do {
            return try native.sign(message)
        } catch {
            // The key worked when it was made; what is left is a machine without memory or random numbers.
            preconditionFailure("signing failed: \(error)")
        }
    }
}
