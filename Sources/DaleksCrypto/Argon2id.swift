import CSodium
import DaleksCore
import DaleksSystem
import Glibc

/// Password hashes (RFC 9106) in the PHC spelling: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
///
/// One hash takes tens of milliseconds and `memory` KiB: whoever calls bounds how many run at a time.
public enum Argon2id {
    public struct Parameters: Hashable, Sendable {
        /// In KiB.
        public let memory: UInt32
        public let passes: UInt32
        public let lanes: UInt32

        /// Nil outside of what `Limits.Crypto` lets a check cost.
        public init?(memory: UInt32, passes: UInt32, lanes: UInt32) {
            guard (1...Limits.Crypto.argonLanesMax).contains(lanes),
                (1...Limits.Crypto.argonPassesMax).contains(passes),
                (8 * lanes...Limits.Crypto.argonMemoryMax).contains(memory)
            else { return nil }
            self.init(checkedMemory: memory, passes: passes, lanes: lanes)
        }

        private init(checkedMemory memory: UInt32, passes: UInt32, lanes: UInt32) {
            self.memory = memory
            self.passes = passes
            self.lanes = lanes
        }

        /// 19 MiB, two passes, one lane: what OWASP recommends for servers; 16 to 18 ms here.
        public static let standard = Parameters(checkedMemory: 19 << 10, passes: 2, lanes: 1)
    }

    /// What the library makes.
    private static let saltBytes = 16
    private static let hashBytes = 32

    /// It looks for the widest instructions of this processor, once. Without that it would hash at half the speed.
    private static let isReady = sodium_init() >= 0

    /// Throws where the password is longer than `Limits.Crypto.passwordBytesMax`, where more than one lane is wanted,
    /// and where no memory was to be had.
    public static func hash(password: [UInt8], parameters: Parameters = .standard) throws(CryptoError) -> String {
        guard password.count <= Limits.Crypto.passwordBytesMax else {
            throw .unsupported("a password of more than \(Limits.Crypto.passwordBytesMax) bytes")
        }
        // A hash of several lanes is checked, and never made.
        guard parameters.lanes == 1 else { throw .unsupported("a password hash of \(parameters.lanes) lanes") }
        guard isReady else { throw .failed(operation: "hashing a password", reason: "libsodium does not work here") }
        var text = [UInt8](repeating: 0, count: Int(crypto_pwhash_argon2id_STRBYTES))
        let (result, code) = withCharacters(of: password) { input in
            text.withUnsafeMutableBytes { text -> (Int32, Int32) in
                guard let text = text.bindMemory(to: CChar.self).baseAddress else { return (-1, EINVAL) }
                let result = crypto_pwhash_argon2id_str(
                    text,
                    input,
                    UInt64(password.count),
                    UInt64(parameters.passes),
                    Int(parameters.memory) << 10
                )
                return (result, errno)
            }
        }
        let end = text.firstIndex(of: 0) ?? text.endIndex
        guard result == 0, let text = String(validating: text[..<end], as: UTF8.self) else { throw failure(code) }
        return text
    }

    /// False for another password, and for a stored text that is not a hash within the limits. Throws where the
    /// question could not be answered for want of memory, which must not look like a wrong password.
    public static func verify(password: [UInt8], against stored: String) throws(CryptoError) -> Bool {
        // The library would take what costs more than we let a check cost, and spellings that we do not know.
        guard PasswordHash(stored) != nil, password.count <= Limits.Crypto.passwordBytesMax else { return false }
        guard isReady else { throw .failed(operation: "hashing a password", reason: "libsodium does not work here") }
        let (result, code) = withCharacters(of: password) { input in
            stored.withCString { stored -> (Int32, Int32) in
                // It answers -1 in either case; of another password it says EINVAL.
                errno = 0
                let result = crypto_pwhash_argon2id_str_verify(stored, input, UInt64(password.count))
                return (result, errno)
            }
        }
        if result == 0 { return true }
        guard code == EINVAL else { throw failure(code) }
        return false
    }

    /// True where the stored hash was made with other parameters than are wanted today, or cannot be read.
    public static func needsRehash(_ stored: String, parameters: Parameters = .standard) -> Bool {
        guard let stored = PasswordHash(stored) else { return true }
        return stored.parameters != parameters || stored.salt.count < saltBytes || stored.hash.count < hashBytes
    }

    /// C wants an address, also of nothing.
    private static func withCharacters<Result>(
        of password: [UInt8],
        _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        (password + [0]).withUnsafeBytes { bytes in
            // There is at least the zero, so there is an address.
            bytes.withMemoryRebound(to: CChar.self) { characters in body(characters.baseAddress.unsafelyUnwrapped) }
        }
    }

    private static func failure(_ code: Int32) -> CryptoError {
        .failed(operation: "hashing a password", reason: "\(Errno(rawValue: code))")
    }
}
