/// Strings: most are short, plain ASCII and without escapes, so those cost one scan and one copy.
extension JSONParser {
    /// Reads from the opening quotation mark past the closing one.
    mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        var isASCII = true
        while true {
            skipPlain()
            guard position < bytes.count else { throw failure("the text ends inside a string") }
            let byte = bytes[position]
            if byte >= 0x80 {
                isASCII = false
                position += 1
            } else if byte == UInt8(ascii: "\"") {
                let text = try text(from: start, to: position, isASCII: isASCII)
                position += 1
                return text
            } else if byte == UInt8(ascii: "\\") {
                return try escapedString(from: start)
            } else {
                throw failure("a control character stands in a string unescaped")
            }
        }
    }

    /// Moves over bytes that stand for themselves: printable ASCII but `"` and `\`, eight at a time where it can.
    private mutating func skipPlain() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while bytes.count - position >= 8 {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
            let slashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
            // A byte of each term has its high bit set where that byte is zero (or, for the first, below 0x20); a
            // false mark can only follow a true one to its left, and only the first is used.
            let below = (word &- ones &* 0x20) & ~word
            let special = (below | (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes | word) & highs
            guard special == 0 else {
                position += special.trailingZeroBitCount / 8
                return
            }
            position += 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            guard byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else { return }
            position += 1
        }
    }

    /// The slow way: builds the unescaped bytes, then checks them as a whole.
    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var unescaped = [UInt8](bytes[start..<position])
        while true {
            let plain = position
            while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\") {
                guard bytes[position] >= 0x20 else {
                    throw failure("a control character stands in a string unescaped")
                }
                position += 1
            }
            unescaped.append(contentsOf: bytes[plain..<position])
            guard position < bytes.count else { throw failure("the text ends inside a string") }
            position += 1
            if bytes[position - 1] == UInt8(ascii: "\"") { break }
            try escape(into: &unescaped)
        }
        // Escapes are ASCII and stand for whole scalars, so the result is valid exactly where the source is.
        guard let text = String(validating: unescaped, as: UTF8.self) else {
            throw try invalid(from: start, to: position - 1)
        }
        return text
    }

    private mutating func escape(into unescaped: inout [UInt8]) throws(JSONError) {
        guard position < bytes.count else { throw failure("the text ends inside a string") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0c)
        case UInt8(ascii: "n"): unescaped.append(0x0a)
        case UInt8(ascii: "r"): unescaped.append(0x0d)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "u"): unescaped.append(contentsOf: UTF8.encode(try escapedScalar()) ?? .init())
        default: throw failure("no escape is spelt like this", at: position - 1)
        }
    }

    /// The scalar of one `\u` escape, or of the two that make a surrogate pair.
    private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        let start = position - 2
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xdc00, bytes.count - position >= 6, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { throw failure("half of a surrogate pair stands alone", at: start) }
        position += 2
        let second = try fourDigits()
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xd800) << 10 + (UInt32(second) - 0xdc00))
        else { throw failure("half of a surrogate pair stands alone", at: start) }
        return scalar
    }

    private mutating func fourDigits() throws(JSONError) -> UInt16 {
        guard bytes.count - position >= 4 else { throw failure("the text ends inside an escape") }
        var value: UInt16 = 0
        for _ in 0..<4 {
            let digit = bytes[position]
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt16(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt16(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt16(digit - UInt8(ascii: "A") + 10)
            default: throw failure("an escape needs four hexadecimal digits")
            }
            position += 1
        }
        return value
    }

    private func text(from start: Int, to end: Int, isASCII: Bool) throws(JSONError) -> String {
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<end]).bindMemory(to: UInt8.self)
        if isASCII { return String(copying: UTF8Span(unchecked: content.span, isKnownASCII: true)) }
        do {
            return String(copying: try UTF8Span(validating: content.span))
        } catch {
            throw failure("the text is not UTF-8", at: start + error.byteOffsets.lowerBound)
        }
    }

    /// The error that says where the bytes stop being UTF-8.
    private func invalid(from start: Int, to end: Int) throws(JSONError) -> JSONError {
        _ = try text(from: start, to: end, isASCII: false)
        return failure("the text is not UTF-8", at: start)
    }
}
