import COpenSSL
import DaleksCore
import Glibc

/// One EVP_PKEY and what it is, freed when the last user lets go.
///
/// ## Concurrency
/// The key is never changed after `init`. The library allows any number of threads to use one key at a time as long as
/// each call has a context of its own, which `sign` and `verify` see to.
// Unchecked: `raw` is set once and only read through calls that the library documents as safe on a shared key.
final class NativeKey: @unchecked Sendable {
    let raw: OpaquePointer
    let algorithm: SignatureAlgorithm
    /// The longest signature: a DER sequence of two 33-byte numbers, or as many bytes as the modulus.
    private let signatureBytesMax: Int

    /// Takes the key over, also when it throws.
    init(owning raw: OpaquePointer) throws(CryptoError) {
        self.raw = raw
        signatureBytesMax = Int(EVP_PKEY_get_size(raw))
        do throws(CryptoError) {
            algorithm = try Self.algorithm(of: raw)
        } catch {
            EVP_PKEY_free(raw)
            throw error
        }
    }

    deinit { EVP_PKEY_free(raw) }

    private static func algorithm(of raw: OpaquePointer) throws(CryptoError) -> SignatureAlgorithm {
        if EVP_PKEY_is_a(raw, "EC") == 1 {
            var name = [CChar](repeating: 0, count: 64)
            guard EVP_PKEY_get_group_name(raw, &name, name.count, nil) == 1,
                strcmp(name, "prime256v1") == 0
            else {
                LibraryErrors.clear()
                throw .unsupported("an elliptic curve other than P-256")
            }
            return .es256
        }
        guard EVP_PKEY_is_a(raw, "RSA") == 1 else { throw .unsupported("a key that is neither EC nor RSA") }
        let bits = Int(EVP_PKEY_get_bits(raw))
        guard Limits.Crypto.rsaBits.contains(bits) else { throw .unsupported("an RSA key of \(bits) bits") }
        return .rs256
    }

    /// In JOSE's spelling.
    func sign(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
        let context = try KeyContext(self)
        guard EVP_PKEY_sign_init(context.raw) == 1 else { throw LibraryErrors.failure("signing") }
        try context.configure(algorithm)
        let digest = SHA256.digest(of: message).bytes
        var count = signatureBytesMax
        var signature = [UInt8](repeating: 0, count: count)
        guard EVP_PKEY_sign(context.raw, &signature, &count, digest, digest.count) == 1 else {
            throw LibraryErrors.failure("signing")
        }
        signature.removeLast(signature.count - count)
        guard algorithm == .es256 else { return signature }
        guard let raw = ECDSASignature.raw(fromDER: signature) else {
            throw .failed(operation: "signing", reason: "the library's signature is not DER")
        }
        return raw
    }

    /// Of a signature in JOSE's spelling.
    func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        let native: [UInt8]
        switch algorithm {
        case .es256:
            guard let der = ECDSASignature.der(fromRaw: signature) else { return false }
            native = der
        case .rs256:
            guard signature.count == signatureBytesMax else { return false }
            native = signature
        }
        guard let context = try? KeyContext(self), EVP_PKEY_verify_init(context.raw) == 1,
            (try? context.configure(algorithm)) != nil
        else {
            LibraryErrors.clear()
            return false
        }
        let digest = SHA256.digest(of: message).bytes
        let isAuthentic = EVP_PKEY_verify(context.raw, native, native.count, digest, digest.count) == 1
        if !isAuthentic { LibraryErrors.clear() }
        return isAuthentic
    }

    /// A number of the key, most significant byte first, padded on the left to `byteCount` where that is given.
    func number(_ name: UnsafePointer<CChar>, byteCount: Int? = nil) throws(CryptoError) -> [UInt8] {
        var number: OpaquePointer?
        guard EVP_PKEY_get_bn_param(raw, name, &number) == 1, let number else {
            throw LibraryErrors.failure("reading a key")
        }
        defer { BN_free(number) }
        let count = byteCount ?? Int(BN_num_bits(number) + 7) / 8
        var bytes = [UInt8](repeating: 0, count: count)
        guard BN_bn2binpad(number, &bytes, Int32(count)) == count else { throw LibraryErrors.failure("reading a key") }
        return bytes
    }
}
