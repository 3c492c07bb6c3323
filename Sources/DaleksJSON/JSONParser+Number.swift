import DaleksCore

/// Numbers: an integer that fits 64 bits stays one, the rest become the nearest double.
extension JSONParser {
    mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = bytes[position] == UInt8(ascii: "-")
        if isNegative { position += 1 }
        var scan = Significand()
        try integerDigits(into: &scan)
        var isInteger = true
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            let first = position
            digits(into: &scan)
            guard position > first else { throw failure("a digit is due after the point") }
            scan.exponent -= position - first
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            scan.exponent += try exponent()
        }
        guard position - start <= Limits.JSON.numberBytesMax else {
            throw failure("the number has too many digits", at: start)
        }
        if isInteger, let integer = scan.integer(isNegative: isNegative) { return .integer(integer) }
        return .double(try double(scan, isNegative: isNegative, start: start))
    }

    /// Digits as they come, as one number while 64 bits hold it.
    private struct Significand {
        var value: UInt64 = 0
        var overflowed = false
        /// The power of ten that the value still wants.
        var exponent = 0

        mutating func append(_ digit: UInt8) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowAgain) = product.addingReportingOverflow(UInt64(digit))
            value = sum
            if overflow || overflowAgain { overflowed = true }
        }

        func integer(isNegative: Bool) -> Int64? {
            guard !overflowed else { return nil }
            if value <= UInt64(Int64.max) { return isNegative ? -Int64(value) : Int64(value) }
            return isNegative && value == UInt64(Int64.max) + 1 ? .min : nil
        }
    }

    private mutating func integerDigits(into scan: inout Significand) throws(JSONError) {
        let first = position
        digits(into: &scan)
        guard position > first else { throw failure("a digit is due") }
        guard bytes[first] != UInt8(ascii: "0") || position == first + 1 else {
            throw failure("a number begins with a zero too many", at: first)
        }
    }

    private mutating func digits(into scan: inout Significand) {
        while position < bytes.count {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit <= 9 else { return }
            scan.append(digit)
            position += 1
        }
    }

    /// What follows `e`: clamped far outside what a double can hold, so that it cannot overflow.
    private mutating func exponent() throws(JSONError) -> Int {
        position += 1
        var isNegative = false
        if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
            isNegative = bytes[position] == UInt8(ascii: "-")
            position += 1
        }
        let first = position
        var value = 0
        while position < bytes.count {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            value = min(value * 10 + Int(digit), 100_000)
            position += 1
        }
        guard position > first else { throw failure("a digit is due in the exponent") }
        return isNegative ? -value : value
    }

    private func double(_ scan: Significand, isNegative: Bool, start: Int) throws(JSONError) -> Double {
        // Both factors are exact and the one operation rounds correctly: the common case needs no long arithmetic.
        if !scan.overflowed, scan.value <= 1 << 53, abs(scan.exponent) <= 22 {
            let power = Self.powersOfTen[abs(scan.exponent)]
            let magnitude = scan.exponent < 0 ? Double(scan.value) / power : Double(scan.value) * power
            return isNegative ? -magnitude : magnitude
        }
        let spelling = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        guard let value = Double(spelling), value.isFinite else {
            throw failure("the number is larger than any double", at: start)
        }
        return value
    }

    /// Every one of them is exact in a double.
    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
