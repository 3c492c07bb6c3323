import COpenSSL

/// Algorithms looked up in the library once: each implicit look-up takes a lock and costs as much as hashing 1 KiB.
///
/// ## Concurrency
/// What is fetched is never changed or freed, and the library lets any number of threads use it.
enum FetchedAlgorithms {
    // The pointer is set once and the method behind it is immutable, so threads may share it.
    nonisolated(unsafe) static let sha256: OpaquePointer = found(EVP_MD_fetch(nil, "SHA256", nil))

    // The pointer is set once and the method behind it is immutable, so threads may share it.
    nonisolated(unsafe) static let sha1: OpaquePointer = found(EVP_MD_fetch(nil, "SHA1", nil))

    // The pointer is set once and the method behind it is immutable, so threads may share it.
    nonisolated(unsafe) static let aes256GCM: OpaquePointer = found(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))

    private static func found(_ method: OpaquePointer?) -> OpaquePointer {
        guard let method else { preconditionFailure("libcrypto lacks an algorithm that every build of it has") }
        return method
    }
}
