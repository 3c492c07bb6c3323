import DaleksCore
import DaleksCrypto
import DaleksService
import DaleksSystem

/// Shows that a form was made here, for this browser and this purpose: a page of somebody else's can send our forms but
/// not read what they must hold.
struct FormProof: Sendable {
    static let field = "proof"

    private let secret: [UInt8]

    init(secret: [UInt8]) { self.secret = secret }

    func text(_ purpose: String) -> String {
        Base64.encode(HMAC.sha256(key: secret, Array("form\0\(purpose)".utf8)))
    }

    func isRight(_ text: String?, _ purpose: String) -> Bool {
        constantTimeEqual(Array((text ?? "").utf8), Array(self.text(purpose).utf8))
    }

    func hidden(_ purpose: String) -> HTML { Page.hidden(Self.field, text(purpose)) }

    // MARK: What a form carries for itself

    /// Only the browser that holds the cookie brings it back, and nobody reads it on the way: for what was typed at one
    /// step and is needed at the next.
    func seal(_ text: String, _ purpose: String) -> String {
        Base64.encode(AEAD.seal(Array(text.utf8), key: key(purpose), context: Array(purpose.utf8)))
    }

    func open(_ sealed: String, _ purpose: String) -> String? {
        guard let bytes = Base64.decode(sealed),
            let text = try? AEAD.open(bytes, key: key(purpose), context: Array(purpose.utf8))
        else { return nil }
        return String(validating: text, as: UTF8.self)
    }

    private func key(_ purpose: String) -> [UInt8] {
        HKDF.sha256(secret: secret, info: Array("form\0\(purpose)".utf8), byteCount: AEAD.keyBytes)
    }
}
