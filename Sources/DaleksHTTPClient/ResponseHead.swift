import DaleksCore
import DaleksHTTP

/// Status and fields of an answer, read line by line. Interim answers (1xx) are forgotten, trailers are not kept.
struct ResponseHead {
    private(set) var status = HTTPStatus(0)
    private(set) var fields = HTTPFields()
    private(set) var isComplete = false
    private var bytes = 0

    enum Verdict { case accepted, tooLarge, malformed }

    mutating func take(_ line: UnsafeRawBufferPointer) -> Verdict {
        bytes += line.count
        guard bytes <= Limits.HTTPClient.headerBytesMax else { return .tooLarge }
        let text = Self.withoutEnd(line)
        if text.isEmpty {
            isComplete = status.code >= 200
            return .accepted
        }
        if !isComplete, text.starts(with: "HTTP/".utf8) { return takeStatus(text) }
        // What comes behind the body is no part of the head.
        if isComplete { return .accepted }
        return takeField(text)
    }

    private mutating func takeStatus(_ line: Slice<UnsafeRawBufferPointer>) -> Verdict {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, words[1].count == 3, words[1].allSatisfy({ (48...57).contains($0) }) else {
            return .malformed
        }
        status = HTTPStatus(words[1].reduce(0) { $0 * 10 + Int($1 - 48) })
        fields = HTTPFields()
        return .accepted
    }

    private mutating func takeField(_ line: Slice<UnsafeRawBufferPointer>) -> Verdict {
        guard fields.count < Limits.HTTPClient.headerFieldsMax else { return .tooLarge }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return .malformed }
        let value = line[line.index(after: colon)...].drop(while: Self.isBlank)
        // A line that continues the one before (obsolete folding) has no name and is refused with it.
        let isTaken = fields.append(
            String(decoding: line[..<colon], as: UTF8.self),
            String(decoding: value, as: UTF8.self)
        )
        return isTaken ? .accepted : .malformed
    }

    private static func withoutEnd(_ line: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        var end = line.count
        while end > 0, isBlank(line[end - 1]) { end -= 1 }
        return line[0..<end]
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
}
