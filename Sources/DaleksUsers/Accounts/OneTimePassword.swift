import DaleksCore
import DaleksCrypto
import DaleksSystem

/// The codes of an authenticator app (RFC 6238: SHA-1, six digits, 30 seconds, which is what every app understands).
enum OneTimePassword {
    private static let stepSeconds: Int64 = 30
    private static let digitCount = 6
    /// As long as SHA-1's result (RFC 4226, 4).
    static let secretBytes = 20

    static func makeSecret() -> [UInt8] { Random.bytes(count: secretBytes) }

    static func step(at time: Timestamp) -> Int64 { time.seconds / stepSeconds }

    static func code(_ secret: [UInt8], step: Int64) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        let digest = HMAC.sha1(key: secret, counter)
        let offset = Int(digest[19] & 15)
        let word = digest[offset..<(offset + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let digits = String(word % 1_000_000)
        return String(repeating: "0", count: digitCount - digits.utf8.count) + digits
    }

    /// The step that the code is of: the present one, or a neighbour, since clocks differ and people type slowly.
    static func step(of code: String, _ secret: [UInt8], at time: Timestamp) -> Int64? {
        let now = step(at: time)
        // All three are compared, so that the time does not say which one it was.
        var found: Int64?
        for step in [now - 1, now, now + 1]
        where constantTimeEqual(Array(self.code(secret, step: step).utf8), Array(code.utf8)) {
            found = step
        }
        return found
    }

    /// What apps read from a picture or a link.
    static func uri(secret: [UInt8], account: String, issuer: String) -> String {
        "otpauth://totp/Daleks:\(account)?secret=\(Base32.encode(secret))&issuer=Daleks"
            + "&algorithm=SHA1&digits=\(digitCount)&period=\(stepSeconds)"
    }

    /// As it was typed, without the gaps that apps show.
    static func plain(_ typed: String) -> String { typed.filter { !$0.isWhitespace && $0 != "-" } }

    static func isCode(_ plain: String) -> Bool {
        plain.utf8.count == digitCount && plain.utf8.allSatisfy { (48...57).contains($0) }
    }
}
