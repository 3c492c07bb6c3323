import DaleksCore
import DaleksCrypto
import DaleksSystem

/// A secret that gets the next access token, once: which session it belongs to, 256 random bits, and a mark that shows
/// that this service made it.
///
/// The mark is what tells a token of the session's past from an invention without keeping a row for each: the first
/// means that somebody has a copy and ends the session, the second means nothing and must end nobody's. The mark's key
/// lies in the database; whoever reads it there can end sessions and not use them.
struct RefreshToken: Sendable {
    let session: SessionID
    private let bytes: [UInt8]

    static let markKeyBytes = 32
    private static let prefix = "dlr_"
    private static let secretBytes = 32
    private static let markBytes = 16
    private static let byteCount = 16 + secretBytes + markBytes

    static func make(for session: SessionID, markKey: [UInt8]) -> RefreshToken {
        let claimed = session.bytes + Random.bytes(count: secretBytes)
        return RefreshToken(session: session, bytes: claimed + mark(of: claimed, markKey))
    }

    private init(session: SessionID, bytes: [UInt8]) {
        self.session = session
        self.bytes = bytes
    }

    init?(_ text: String) {
        guard text.utf8.count == Self.prefix.utf8.count + (Self.byteCount * 4 + 2) / 3, text.hasPrefix(Self.prefix),
            let bytes = Base64.decode(text.utf8.dropFirst(Self.prefix.utf8.count).map { $0 }, .url)
        else { return nil }
        self.init(bytes: bytes)
    }

    private init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount, let session = SessionID(bytes: bytes[..<16]) else { return nil }
        self.init(session: session, bytes: bytes)
    }

    /// Only ever sent to the one who asked.
    var text: String { Self.prefix + Base64.encode(bytes, .url) }

    /// What is stored in its place.
    var digest: Digest { SHA256.digest(of: bytes) }

    /// Whether this service made it, at some time, for this session.
    func isGenuine(markKey: [UInt8]) -> Bool {
        let claimed = Array(bytes.dropLast(Self.markBytes))
        return constantTimeEqual(Self.mark(of: claimed, markKey), Array(bytes.suffix(Self.markBytes)))
    }

    private static func mark(of claimed: [UInt8], _ key: [UInt8]) -> [UInt8] {
        Array(HMAC.sha256(key: key, claimed).prefix(markBytes))
    }

    // MARK: Successors

    /// The successor, for whoever shows this token again. Without it the database's reader sees nothing.
    func seal(_ successor: RefreshToken) -> [UInt8] {
        AEAD.seal(successor.bytes, key: sealingKey, context: session.bytes)
    }

    func open(_ sealed: [UInt8]) -> RefreshToken? {
        guard let bytes = try? AEAD.open(sealed, key: sealingKey, context: session.bytes) else { return nil }
        return RefreshToken(bytes: bytes)
    }

    private var sealingKey: [UInt8] {
        HKDF.sha256(secret: bytes, info: Array("daleks refresh successor".utf8), byteCount: AEAD.keyBytes)
    }
}
