/// Hexadecimal text.
public enum Hex {
    private static let digits: StaticString = "0123456789abcdef"

    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            var position = 0
            for byte in bytes {
                buffer[position] = digits.utf8Start[Int(byte >> 4)]
                buffer[position + 1] = digits.utf8Start[Int(byte & 15)]
                position += 2
            }
            return position
        }
    }

    /// Two words of sixteen digits each, as identifiers have them.
    static func encode(_ high: UInt64, _ low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            for position in 0..<16 {
                let shift = UInt64(60 - 4 * position)
                buffer[position] = digits.utf8Start[Int(high >> shift & 15)]
                buffer[position + 16] = digits.utf8Start[Int(low >> shift & 15)]
            }
            return 32
        }
    }

    /// Exactly 32 lower-case digits; nil for anything else.
    static func twoWords(in digits: UnsafeBufferPointer<UInt8>) -> (UInt64, UInt64)? {
        guard digits.count == 32 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for position in 0..<16 {
            guard let front = lowerCaseValue(of: digits[position]),
                let back = lowerCaseValue(of: digits[position + 16])
            else { return nil }
            words.0 = words.0 << 4 | UInt64(front)
            words.1 = words.1 << 4 | UInt64(back)
        }
        return words
    }

    /// Both cases are read; an odd count or another character is nil.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var pending: UInt8?
        for digit in text.utf8 {
            guard let value = value(of: digit) else { return nil }
            if let first = pending {
                bytes.append(first << 4 | value)
                pending = nil
            } else {
                pending = value
            }
        }
        return pending == nil ? bytes : nil
    }

    public static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: lowerCaseValue(of: digit)
        }
    }

    static func lowerCaseValue(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

/// Base64 in its two alphabets (RFC 4648). Decoding is strict: one text for each value, so that a signed text cannot be
/// respelt; white space, wrong padding and stray bits in the last digit are refused.
public enum Base64 {
    public enum Alphabet: Sendable {
        /// `+` and `/`, padded with `=`.
        case standard
        /// `-` and `_`, never padded.
        case url
    }

    private static let standardDigits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    private static let urlDigits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    public static func encode(_ bytes: [UInt8], _ alphabet: Alphabet = .url) -> String {
        let digits = (alphabet == .url ? urlDigits : standardDigits).utf8Start
        let capacity = (bytes.count + 2) / 3 * 4
        return bytes.withUnsafeBufferPointer { source in
            String(unsafeUninitializedCapacity: capacity) { buffer in encode(source, digits, alphabet, into: buffer) }
        }
    }

    private static func encode(
        _ source: UnsafeBufferPointer<UInt8>,
        _ digits: UnsafePointer<UInt8>,
        _ alphabet: Alphabet,
        into buffer: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        var (written, position) = (0, 0)
        while position + 3 <= source.count {
            let group = Int(source[position]) << 16 | Int(source[position + 1]) << 8 | Int(source[position + 2])
            buffer[written] = digits[group >> 18]
            buffer[written + 1] = digits[group >> 12 & 63]
            buffer[written + 2] = digits[group >> 6 & 63]
            buffer[written + 3] = digits[group & 63]
            written += 4
            position += 3
        }
        let rest = source.count - position
        guard rest > 0 else { return written }
        let group = Int(source[position]) << 16 | (rest == 2 ? Int(source[position + 1]) << 8 : 0)
        for digit in 0...rest {
            buffer[written] = digits[group >> (18 - 6 * digit) & 63]
            written += 1
        }
        if alphabet == .standard {
            for _ in rest..<3 {
                buffer[written] = UInt8(ascii: "=")
                written += 1
            }
        }
        return written
    }

    public static func decode(_ text: some StringProtocol, _ alphabet: Alphabet = .url) -> [UInt8]? {
        decode(String(text), alphabet)
    }

    public static func decode(_ text: String, _ alphabet: Alphabet = .url) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0, alphabet) }
    }

    public static func decode(_ text: [UInt8], _ alphabet: Alphabet = .url) -> [UInt8]? {
        text.withUnsafeBufferPointer { decode($0, alphabet) }
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>, _ alphabet: Alphabet) -> [UInt8]? {
        guard let count = unpaddedCount(text, alphabet), count % 4 != 1 else { return nil }
        let values = alphabet == .url ? urlValues : standardValues
        var isGood = true
        let bytes = [UInt8](unsafeUninitializedCapacity: count * 3 / 4) { buffer, written in
            isGood = values.withUnsafeBufferPointer { decode(text, count, $0, into: buffer, &written) }
        }
        return isGood ? bytes : nil
    }

    private static func decode(
        _ text: UnsafeBufferPointer<UInt8>,
        _ count: Int,
        _ values: UnsafeBufferPointer<UInt8>,
        into buffer: UnsafeMutableBufferPointer<UInt8>,
        _ written: inout Int
    ) -> Bool {
        var (bits, bitCount, seen): (UInt32, UInt32, UInt8) = (0, 0, 0)
        var position = 0
        for index in 0..<count {
            let value = values[Int(text[index])]
            seen |= value
            bits = bits << 6 | UInt32(value & 63)
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            buffer[position] = UInt8(truncatingIfNeeded: bits >> bitCount)
            position += 1
            bits &= (1 << bitCount) - 1
        }
        written = position
        return bits == 0 && seen & notADigit == 0
    }

    /// How many characters are left without the padding; nil where there is too little or too much of it.
    private static func unpaddedCount(_ text: UnsafeBufferPointer<UInt8>, _ alphabet: Alphabet) -> Int? {
        guard alphabet == .standard else { return text.count }
        guard text.count % 4 == 0 else { return nil }
        var count = text.count
        while count > 0, text.count - count < 2, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
        return count
    }

    /// Larger than any digit's value, and no part of one.
    private static let notADigit: UInt8 = 64
    private static let urlValues = (0...255).map { value(of: UInt8($0), .url) ?? notADigit }
    private static let standardValues = (0...255).map { value(of: UInt8($0), .standard) ?? notADigit }

    private static func value(of digit: UInt8, _ alphabet: Alphabet) -> UInt8? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+") where alphabet == .standard: 62
        case UInt8(ascii: "/") where alphabet == .standard: 63
        case UInt8(ascii: "-") where alphabet == .url: 62
        case UInt8(ascii: "_") where alphabet == .url: 63
        default: nil
        }
    }
}
