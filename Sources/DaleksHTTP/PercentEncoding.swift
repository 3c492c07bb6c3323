/// Percent-encoding of RFC 3986, strict where it reads.
public enum PercentEncoding {
    /// Every byte but letters, digits and `-._~` as `%XX`: right for a path segment and for a query's name or value.
    public static func encode(_ text: some StringProtocol) -> String { encode(bytes: text.utf8) }

    public static func encode(bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity(bytes.underestimatedCount)
        for byte in bytes {
            if HTTPGrammar.isUnreserved(byte) {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// Nil where a `%` is not followed by two digits, where the result is not UTF-8, or holds a NUL.
    public static func decode(_ text: some StringProtocol) -> String? {
        decode(bytes: text.utf8, plusIsSpace: false)
    }

    /// As `decode`; a form's and a query's `+` stands for a space.
    public static func decodeForm(_ text: some StringProtocol) -> String? {
        decode(bytes: text.utf8, plusIsSpace: true)
    }

    static func decode(bytes: some Collection<UInt8>, plusIsSpace: Bool) -> String? {
        decode(bytes: Array(bytes)[...], plusIsSpace: plusIsSpace)
    }

    static func decode(bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
        decodeToBytes(bytes, plusIsSpace: plusIsSpace).flatMap { decoded in
            decoded.contains(0) ? nil : String(validating: decoded, as: UTF8.self)
        }
    }

    /// Any bytes, NUL among them. Nil where a `%` is not followed by two digits.
    public static func decodeToBytes(_ encoded: some Collection<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
        decodeToBytes(Array(encoded)[...], plusIsSpace: plusIsSpace)
    }

    /// Of one type and not of any: a token goes through here with each request, and what is generic is called for each
    /// byte.
    private static func decodeToBytes(_ encoded: ArraySlice<UInt8>, plusIsSpace: Bool) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(encoded.count)
        var rest = encoded.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace:
                decoded.append(UInt8(ascii: " "))
            default:
                decoded.append(byte)
            }
        }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
