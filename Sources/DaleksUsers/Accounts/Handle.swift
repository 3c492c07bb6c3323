/// What somebody may be called by, beside the e-mail address: `ann`, `r.giskard`. Lower case, so that two spellings of
/// one are one.
struct Handle: Hashable, Sendable {
    let text: String

    init?(_ typed: String) {
        let text = typed.lowercased()
        let bytes = Array(text.utf8)
        guard (2...32).contains(bytes.count), let first = bytes.first, Self.isLetter(first),
            bytes.allSatisfy({ Self.isLetter($0) || (48...57).contains($0) || "-_.".utf8.contains($0) })
        else { return nil }
        self.text = text
    }

    /// One that passed before it was stored.
    init(stored text: String) { self.text = text }

    private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte) }
}
