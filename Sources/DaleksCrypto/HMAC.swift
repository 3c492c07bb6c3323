import COpenSSL

/// Keyed hashes (RFC 2104). Compare what comes out with `constantTimeEqual`.
public enum HMAC {
    public static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        code(FetchedAlgorithms.sha256, byteCount: 32, key: key, message)
    }

    /// For one-time passwords (RFC 6238), whose apps know nothing else.
    public static func sha1(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        code(FetchedAlgorithms.sha1, byteCount: 20, key: key, message)
    }

    private static func code(
        _ algorithm: OpaquePointer,
        byteCount: Int,
        key: [UInt8],
        _ message: [UInt8]
    ) -> [UInt8] {
        // An empty array may have no address, and the library takes a missing key for "the last one again".
        let key = key.isEmpty ? [0] : key
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let result = COpenSSL.HMAC(
                algorithm,
                key,
                Int32(key.count),
                message,
                message.count,
                buffer.baseAddress,
                nil
            )
            precondition(result != nil, "no memory for a keyed hash")
            count = byteCount
        }
    }
}

/// Compares in a time that depends on the lengths only, so that a secret cannot be guessed byte by byte.
public func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
