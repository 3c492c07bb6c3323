import DaleksCore
import DaleksCrypto
import DaleksSystem

/// What lets somebody in once who lost the device: 120 random bits, which nobody guesses, not even with the
/// database at hand, so that a plain digest keeps them.
enum RecoveryCode {
    static let count = 10

    static let bytes = 15

    static func make() -> String {
        let text = Base32.encode(Random.bytes(count: bytes)).lowercased()
        return stride(from: 0, to: text.count, by: 4).map { start in
            String(text.dropFirst(start).prefix(4))
        }.joined(separator: "-")
    }

    /// The same for every way to type it.
    static func digest(_ typed: String, of account: UserID) -> Digest {
        let plain = OneTimePassword.plain(typed).lowercased()
        return SHA256.digest(of: Array("recovery\0".utf8) + account.bytes + Array(plain.utf8))
    }
}
