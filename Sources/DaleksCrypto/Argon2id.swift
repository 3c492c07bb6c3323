import CArgon2
import DaleksCore
import DaleksSystem

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

        /// 19 MiB, two passes, one lane: what OWASP recommends for servers; 27 ms here.
        public static let standard = Parameters(checkedMemory: 19 << 10, passes: 2, lanes: 1)
    }

    private static let saltBytes = 16
    private static let hashBytes = 32

    /// Throws where the password is longer than `Limits.Crypto.passwordBytesMax`, or no memory was to be had. Whoever
    /// hashes many in a row keeps the memory from one to the next, and gives it back afterwards.
    public static func hash(
        password: [UInt8],
        parameters: Parameters = .standard,
        keepsMemory: Bool = false
    ) throws(CryptoError) -> String {
        defer { if !keepsMemory { giveBackMemory() } }
        let salt = Random.bytes(count: saltBytes)
        let hash = try raw(password, parameters, salt: salt, byteCount: hashBytes)
        return PasswordHash(parameters: parameters, salt: salt, hash: hash).description
    }

    /// False for another password, and for a stored text that is not a hash within the limits. Throws where the
    /// question could not be answered for want of memory, which must not look like a wrong password.
    public static func verify(
        password: [UInt8],
        against stored: String,
        keepsMemory: Bool = false
    ) throws(CryptoError) -> Bool {
        defer { if !keepsMemory { giveBackMemory() } }
        guard let stored = PasswordHash(stored), password.count <= Limits.Crypto.passwordBytesMax else { return false }
        let hash = try raw(password, stored.parameters, salt: stored.salt, byteCount: stored.hash.count)
        return constantTimeEqual(hash, stored.hash)
    }

    /// True where the stored hash was made with other parameters than are wanted today, or cannot be read.
    public static func needsRehash(_ stored: String, parameters: Parameters = .standard) -> Bool {
        guard let stored = PasswordHash(stored) else { return true }
        return stored.parameters != parameters || stored.salt.count < saltBytes || stored.hash.count < hashBytes
    }

    /// What was kept for hashes to come goes back to the system.
    public static func giveBackMemory() { HashMemory.giveBack() }

    private static func raw(
        _ password: [UInt8],
        _ parameters: Parameters,
        salt: [UInt8],
        byteCount: Int
    ) throws(CryptoError) -> [UInt8] {
        guard password.count <= Limits.Crypto.passwordBytesMax else {
            throw .unsupported("a password of more than \(Limits.Crypto.passwordBytesMax) bytes")
        }
        var hash = [UInt8](repeating: 0, count: byteCount)
        // The library only reads what it takes as mutable, as no flag asks it to wipe its inputs.
        var (input, salt) = (password.isEmpty ? [0] : password, salt)
        let result = hash.withUnsafeMutableBufferPointer { hash in
            input.withUnsafeMutableBufferPointer { input in
                salt.withUnsafeMutableBufferPointer { salt in
                    var context = argon2_context()
                    context.out = hash.baseAddress
                    context.outlen = UInt32(hash.count)
                    context.pwd = input.baseAddress
                    context.pwdlen = UInt32(password.count)
                    context.salt = salt.baseAddress
                    context.saltlen = UInt32(salt.count)
                    context.t_cost = parameters.passes
                    context.m_cost = parameters.memory
                    context.lanes = parameters.lanes
                    context.threads = parameters.lanes
                    context.version = ARGON2_VERSION_NUMBER.rawValue
                    context.allocate_cbk = HashMemory.allocate
                    context.free_cbk = HashMemory.release
                    return argon2id_ctx(&context)
                }
            }
        }
        guard result == ARGON2_OK.rawValue else {
            throw .failed(operation: "hashing a password", reason: String(cString: argon2_error_message(result)))
        }
        return hash
    }
}
