import DaleksCore

/// Which bytes a Range header asks for (RFC 9110, 14.2).
public enum ByteRanges: Sendable, Equatable {
    /// All of it: no header, one that is not understood, or one that asks for more bytes than there are.
    case whole
    /// One to sixteen ranges inside the content, none empty, in the order asked.
    case ranges([Range<Int64>])
    /// Nothing that was asked for exists.
    case unsatisfiable

    /// What cannot be read is ignored, as the standard asks; so are more than sixteen ranges, and ranges that overlap
    /// until they sum up to more than the whole.
    public static func evaluate(header: String?, size: Int64) -> ByteRanges {
        guard let header, let specifiers = specifiers(of: header) else { return .whole }
        var ranges: [Range<Int64>] = []
        var total: Int64 = 0
        var count = 0
        for specifier in specifiers {
            let text = HTTPGrammar.trimmed(specifier)
            if text.isEmpty { continue }
            count += 1
            guard count <= Limits.HTTP.rangesMax, let parsed = parse(text, size: size) else { return .whole }
            guard let range = parsed.range else { continue }
            ranges.append(range)
            total += range.upperBound - range.lowerBound
            guard total <= size else { return .whole }
        }
        guard count > 0 else { return .whole }
        return ranges.isEmpty ? .unsatisfiable : .ranges(ranges)
    }

    /// What stands behind `bytes=`; nil for another unit.
    private static func specifiers(of header: String) -> [Substring]? {
        guard let equals = header.firstIndex(of: "=") else { return nil }
        let unit = String(HTTPGrammar.trimmed(header[..<equals]))
        guard HTTPGrammar.equalIgnoringCase(unit, "bytes") else { return nil }
        return header[header.index(after: equals)...].split(
            separator: ",",
            maxSplits: 2 * Limits.HTTP.rangesMax,
            omittingEmptySubsequences: false
        )
    }

    /// Nil where the text is no range; a nil range where it is one but lies outside.
    private static func parse(_ text: Substring, size: Int64) -> (range: Range<Int64>?, Void)? {
        guard let dash = text.firstIndex(of: "-") else { return nil }
        let (first, last) = (text[..<dash], text[text.index(after: dash)...])
        if first.isEmpty {
            guard let count = number(last) else { return nil }
            return (count > 0 && size > 0 ? max(0, size - count)..<size : nil, ())
        }
        guard let lower = number(first) else { return nil }
        if last.isEmpty { return (lower < size ? lower..<size : nil, ()) }
        guard let upper = number(last), upper >= lower else { return nil }
        return (lower < size ? lower..<(min(upper, size - 1) + 1) : nil, ())
    }

    /// Digits only. A number too large for 64 bits is as good as the largest.
    private static func number(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int64(text) ?? .max
    }
}
