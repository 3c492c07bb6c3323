import DaleksCore
import DaleksCrypto
import DaleksSystem

/// A secret of 256 random bits with a prefix that says what it is for, to people and to those who search leaked files.
/// What is stored is its digest: nobody guesses such a secret, so that no slow hash is needed.
struct Secret: Sendable {
    enum Kind: String, Sendable {
        case appPassword = "dla_"
        case mail = "dlm_"
        case enrolment = "dle_"
        case service = "dls_"
        case firstAdmin = "dlf_"
    }

    private static let byteCount = 32

    /// Only ever shown to whom it is for.
    let text: String
    let digest: Digest

    static func make(_ kind: Kind) -> Secret {
        Secret(kind, Random.bytes(count: byteCount))
    }

    /// Nil for what cannot be one of that kind.
    init?(_ kind: Kind, _ text: String) {
        guard text.hasPrefix(kind.rawValue), text.utf8.count == kind.rawValue.utf8.count + 43,
            let bytes = Base64.decode(String(text.dropFirst(kind.rawValue.count)), .url),
            bytes.count == Self.byteCount
        else { return nil }
        self.init(kind, bytes)
    }

    private init(_ kind: Kind, _ bytes: [UInt8]) {
        text = kind.rawValue + Base64.encode(bytes, .url)
        digest = SHA256.digest(of: Array(kind.rawValue.utf8) + bytes)
    }
}
