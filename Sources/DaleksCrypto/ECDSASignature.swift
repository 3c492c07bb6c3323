/// The two spellings of a P-256 signature: JOSE's fixed 64 bytes `r ‖ s`, and the DER sequence of the library.
enum ECDSASignature {
    private static let scalarBytes = 32

    /// Nil where there are not exactly 64 bytes. Whether the numbers are in range is for the library to check.
    static func der(fromRaw raw: [UInt8]) -> [UInt8]? {
        guard raw.count == 2 * scalarBytes else { return nil }
        let content = integer(raw[..<scalarBytes]) + integer(raw[scalarBytes...])
        return [0x30, UInt8(content.count)] + content
    }

    /// Nil where it is not the one DER spelling of two numbers of at most 32 bytes.
    static func raw(fromDER der: [UInt8]) -> [UInt8]? {
        guard der.count >= 2, der[0] == 0x30, der[1] < 0x80, Int(der[1]) == der.count - 2 else { return nil }
        var rest = der[2...]
        guard let r = scalar(&rest), let s = scalar(&rest), rest.isEmpty else { return nil }
        return r + s
    }

    /// DER numbers are signed and as short as can be: no leading zero but the one that keeps them positive.
    private static func integer(_ scalar: ArraySlice<UInt8>) -> [UInt8] {
        var digits = Array(scalar.drop { $0 == 0 })
        if digits.first.map({ $0 >= 0x80 }) ?? true { digits.insert(0, at: 0) }
        return [0x02, UInt8(digits.count)] + digits
    }

    private static func scalar(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard rest.popFirst() == 0x02, let length = rest.popFirst(), (1...33).contains(length), rest.count >= length
        else { return nil }
        var digits = rest.prefix(Int(length))
        rest = rest.dropFirst(Int(length))
        guard let first = digits.first, first < 0x80 else { return nil }
        if first == 0, let second = digits.dropFirst().first {
            guard second >= 0x80 else { return nil }
            digits = digits.dropFirst()
        }
        guard digits.count <= scalarBytes else { return nil }
        return [UInt8](repeating: 0, count: scalarBytes - digits.count) + digits
    }
}
