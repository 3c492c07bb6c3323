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
