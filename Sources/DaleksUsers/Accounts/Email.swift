import DaleksCore

/// An e-mail address as accounts have it: two spellings of one address are one value.
///
/// White space around it is dropped and upper case is made lower: no provider of today tells `Ann@` from `ann@`, and
/// two accounts that differ in it would be a trap. Letters beyond ASCII are refused: one of them can be written in
/// several ways that look alike, and such a domain has an ASCII form (`xn--…`).
struct Email: Hashable, Sendable {
    let text: String

    init?(_ typed: String) {
        let bytes = Self.trimmed(typed.utf8)
        guard bytes.count <= Limits.Users.emailBytesMax, bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            return nil
        }
        let parts = bytes.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, (1...Limits.Users.emailLocalBytesMax).contains(parts[0].count),
            Self.isDomain(parts[1]), !parts[0].contains(where: { Self.reserved.contains($0) })
        else { return nil }
        text = String(decoding: bytes.map(Self.lowerCased), as: UTF8.self)
    }

    /// One that passed before it was stored.
    init(stored text: String) { self.text = text }

    /// What would have to be quoted in a header, where quoting is got wrong.
    private static let reserved = Array("\"(),:;<>[\\]".utf8)

    private static func trimmed(_ bytes: String.UTF8View) -> ArraySlice<UInt8> {
        var rest = Array(bytes)[...]
        while let first = rest.first, first <= 0x20 { rest.removeFirst() }
        while let last = rest.last, last <= 0x20 { rest.removeLast() }
        return rest
    }

    private static func isDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.allSatisfy { label in
            (1...63).contains(label.count) && label.allSatisfy(isHostByte) && label.first != UInt8(ascii: "-")
                && label.last != UInt8(ascii: "-")
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lowerCased(byte))
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
    }

    private static func lowerCased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
