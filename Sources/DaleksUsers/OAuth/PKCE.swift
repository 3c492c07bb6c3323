import DaleksCore
import DaleksCrypto

/// Proof that whoever redeems a code is who asked for it (RFC 7636), with SHA-256 and nothing weaker.
enum PKCE {
    static let method = "S256"

    static func isChallenge(_ text: String) -> Bool { Base64.decode(text, .url)?.count == 32 }

    static func isVerifier(_ text: String) -> Bool {
        (43...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "~"):
                    true
                default: false
                }
            }
    }

    static func verifies(_ verifier: String, _ challenge: String) -> Bool {
        let digest = SHA256.digest(of: Array(verifier.utf8))
        return constantTimeEqual(Array(Base64.encode(digest.bytes, .url).utf8), Array(challenge.utf8))
    }
}
