import DaleksCore
import Glibc

/// The parts of a `multipart/form-data` body (RFC 7578), read as they arrive: what it keeps in memory is one part's
/// header or the length of a boundary, whatever comes.
public struct MultipartReader {
    /// What a part's header says.
    public struct Part: Sendable, Equatable {
        /// The form's name for it.
        public let name: [UInt8]
        /// There where the part is a file; browsers send an empty one where nothing was chosen.
        public let filename: [UInt8]?

        public init(name: [UInt8], filename: [UInt8]?) {
            self.name = name
            self.filename = filename
        }
    }

    public enum Event {
        case began(Part)
        case bytes(UnsafeRawBufferPointer)
        case ended
    }

    private enum State { case preamble, boundary, header, content, epilogue }

    private var state = State.preamble
    /// The line end that ends a part, two dashes, and the boundary.
    private let delimiter: [UInt8]
    /// What came and cannot be told from a delimiter or a whole header yet. Begins with the line end that a first
    /// boundary lacks.
    private var pending: [UInt8] = [13, 10]
    /// Where in it what is still to be looked at begins.
    private var start = 0
    private var partCount = 0

    /// Nil where there is no such boundary.
    public init?(boundary: String) {
        guard (1...70).contains(boundary.utf8.count), boundary.utf8.allSatisfy({ (32..<127).contains($0) }) else {
            return nil
        }
        delimiter = [13, 10, 45, 45] + Array(boundary.utf8)
    }

    /// The reader for a body of this type; nil where it is no form of parts.
    public init?(contentType: String?) {
        guard let type = contentType.flatMap({ MediaType($0) }), type.essence == "multipart/form-data",
            let boundary = type["boundary"]
        else { return nil }
        self.init(boundary: boundary)
    }

    /// Calls `body` with what came to be known by these bytes. What it is called with is good until it returns.
    public mutating func read(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (Event) throws(APIError) -> Void
    ) throws(APIError) {
        // Whatever follows the last boundary is nobody's.
        guard state != .epilogue else { return }
        pending.append(contentsOf: bytes)
        while try step(body) {}
        pending.removeFirst(start)
        start = 0
    }

    /// Throws where the body broke off.
    public func finish() throws(APIError) {
        guard state == .epilogue else { throw .malformed("the form ends before its last boundary") }
    }

    // MARK: Steps

    /// False where more bytes must come first.
    private mutating func step(_ body: (Event) throws(APIError) -> Void) throws(APIError) -> Bool {
        switch state {
        case .preamble, .content: return try pass(body)
        case .boundary: return try decide()
        case .header: return try begin(body)
        case .epilogue:
            start = pending.count
            return false
        }
    }

    /// Passes on what is certainly not part of a delimiter.
    private mutating func pass(_ body: (Event) throws(APIError) -> Void) throws(APIError) -> Bool {
        let found = Self.find(delimiter, in: pending, from: start)
        let end = found ?? max(start, pending.count - delimiter.count + 1)
        if state == .content, end > start { try Self.tell(pending, start..<end, body) }
        start = end
        guard found != nil else { return false }
        if state == .content { try body(.ended) }
        state = .boundary
        start += delimiter.count
        return true
    }

    /// After a boundary: a part's header begins, or the form has ended.
    private mutating func decide() throws(APIError) -> Bool {
        while start < pending.count, pending[start] == 32 || pending[start] == 9 { start += 1 }
        guard pending.count >= start + 2 else { return false }
        switch (pending[start], pending[start + 1]) {
        case (13, 10): state = .header
        case (45, 45): state = .epilogue
        default: throw .malformed("a boundary of the form is followed by something else than a line end")
        }
        start += 2
        return true
    }

    private mutating func begin(_ body: (Event) throws(APIError) -> Void) throws(APIError) -> Bool {
        let end = Self.find([13, 10, 13, 10], in: pending, from: start)
        guard (end ?? pending.count) - start <= Limits.HTTP.formPartHeaderBytesMax else {
            throw .tooLarge("the header of a part has no more than \(Limits.HTTP.formPartHeaderBytesMax) bytes")
        }
        guard let end else { return false }
        partCount += 1
        guard partCount <= Limits.HTTP.formPartsMax else {
            throw .tooLarge("a form has no more than \(Limits.HTTP.formPartsMax) parts")
        }
        guard let part = Part(header: pending[start..<end]) else {
            throw .malformed("part \(partCount) of the form does not say what it is")
        }
        try body(.began(part))
        state = .content
        start = end + 4
        return true
    }

    // MARK: Bytes

    private static func tell(
        _ bytes: [UInt8],
        _ range: Range<Int>,
        _ body: (Event) throws(APIError) -> Void
    ) throws(APIError) {
        // The closure of `withUnsafeBytes` throws untyped, so the error travels beside it.
        var failure: APIError?
        bytes.withUnsafeBytes { buffer in
            let piece = UnsafeRawBufferPointer(rebasing: buffer[range])
            do throws(APIError) { try body(.bytes(piece)) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Where it stands first. What is looked for begins with a carriage return.
    private static func find(_ wanted: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { buffer -> Int? in
            wanted.withUnsafeBytes { wanted -> Int? in
                guard let base = buffer.baseAddress, let first = wanted.baseAddress else { return nil }
                var at = start
                while buffer.count - at >= wanted.count {
                    guard let found = memchr(base + at, 13, buffer.count - at - wanted.count + 1) else { return nil }
                    at = UnsafeRawPointer(found) - base
                    if memcmp(base + at, first, wanted.count) == 0 { return at }
                    at += 1
                }
                return nil
            }
        }
    }
}

extension MultipartReader.Part {
    /// What `Content-Disposition` says in a part's header.
    init?(header: ArraySlice<UInt8>) {
        let field = Array("content-disposition:".utf8)
        for line in header.split(separator: 10) {
            guard line.count > field.count,
                zip(line, field).allSatisfy({ ($0 >= 65 && $0 <= 90 ? $0 | 32 : $0) == $1 })
            else { continue }
            self.init(disposition: line.dropFirst(field.count))
            return
        }
        return nil
    }

    /// ` form-data; name="a"; filename="b"`. Bytes stay what they are, but for the three that browsers escape in a
    /// quoted name (WHATWG HTML, multipart/form-data), and a quotation mark behind a backslash, as other programs do.
    private init?(disposition: ArraySlice<UInt8>) {
        var rest = disposition
        guard Self.word(&rest).map({ $0 | 32 }) == Array("form-data".utf8).map({ $0 | 32 }) else { return nil }
        var (name, filename): ([UInt8]?, [UInt8]?) = (nil, nil)
        while Self.skip(59, &rest) {
            let key = Self.word(&rest)
            guard !key.isEmpty, Self.skip(61, &rest), let value = Self.value(&rest) else { return nil }
            switch String(decoding: key, as: UTF8.self).lowercased() {
            case "name": name = value
            case "filename": filename = value
            default: break
            }
        }
        guard let name, rest.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) else { return nil }
        self.init(name: name, filename: filename)
    }

    private static func trim(_ rest: inout ArraySlice<UInt8>) {
        rest = rest.drop { $0 == 32 || $0 == 9 }
    }

    private static func skip(_ byte: UInt8, _ rest: inout ArraySlice<UInt8>) -> Bool {
        trim(&rest)
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }

    private static func word(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        trim(&rest)
        let word = rest.prefix { $0 > 32 && $0 != 59 && $0 != 61 && $0 != 34 }
        rest = rest.dropFirst(word.count)
        return Array(word)
    }

    private static func value(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard skip(34, &rest) else { return word(&rest) }
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == 34 { return unescaped(value) }
            if byte == 92, rest.first == 34 {
                rest.removeFirst()
                value.append(34)
            } else {
                value.append(byte)
            }
        }
        return nil
    }

    private static func unescaped(_ bytes: [UInt8]) -> [UInt8] {
        var (result, rest) = ([UInt8](), bytes[...])
        while let byte = rest.popFirst() {
            switch (byte, rest.prefix(2)) {
            case (37, [50, 50]): result.append(34)
            case (37, [48, 68]), (37, [48, 100]): result.append(13)
            case (37, [48, 65]), (37, [48, 97]): result.append(10)
            default:
                result.append(byte)
                continue
            }
            rest = rest.dropFirst(2)
        }
        return result
    }
}
