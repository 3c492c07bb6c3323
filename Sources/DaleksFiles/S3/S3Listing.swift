import DaleksCore

/// A page of a bucket's listing. The service's XML is regular enough to be read without a parser for all of XML: flat
/// elements without attributes, text with the five entities.
struct S3Listing {
    private(set) var objects: [S3Client.Object] = []
    /// What asks for the next page; nil at the end.
    let next: String?

    init?(_ body: [UInt8]) {
        guard Self.text("ListBucketResult", in: body, isRaw: true) != nil else { return nil }
        var rest = body[...]
        while let element = Self.element("Contents", in: rest) {
            guard let key = Self.text("Key", in: Array(element.content)),
                let bytes = Self.text("Size", in: Array(element.content)).flatMap({ Int64($0) }), bytes >= 0,
                let modified = Self.text("LastModified", in: Array(element.content)).flatMap({ Self.time($0) })
            else { return nil }
            objects.append(S3Client.Object(key: key, bytes: bytes, modified: modified))
            rest = rest[element.end...]
        }
        let isTruncated = Self.text("IsTruncated", in: body) == "true"
        next = isTruncated ? Self.text("NextContinuationToken", in: body) : nil
        // A page that says there is more and not how to get it must not pass for the last.
        if isTruncated, next == nil { return nil }
    }

    /// The text of the first element of that name.
    static func text(_ name: String, in body: [UInt8], isRaw: Bool = false) -> String? {
        guard let element = element(name, in: body[...]) else { return nil }
        let text = String(decoding: element.content, as: UTF8.self)
        guard !isRaw else { return text }
        var decoded = text
        for (entity, character) in [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'"), ("&#39;", "'"),
            ("&amp;", "&"),
        ] {
            decoded = decoded.replacing(entity, with: character)
        }
        return decoded
    }

    /// `2026-11-21T10:16:33.000Z`; fractions are passed over.
    private static func time(_ text: String) -> Timestamp? {
        let numbers = text.split { !("0"..."9").contains($0) }.compactMap { Int($0) }
        guard numbers.count >= 6, text.hasSuffix("Z") else { return nil }
        let seconds = CivilTime.seconds(
            year: numbers[0],
            month: numbers[1],
            day: numbers[2],
            hour: numbers[3],
            minute: numbers[4],
            second: numbers[5]
        )
        return seconds.map { Timestamp(seconds: $0) }
    }

    private static func element(
        _ name: String,
        in body: ArraySlice<UInt8>
    ) -> (content: ArraySlice<UInt8>, end: Int)? {
        guard let start = find(Array("<\(name)".utf8), in: body),
            let open = body[start.upperBound...].firstIndex(of: UInt8(ascii: ">")),
            let close = find(Array("</\(name)>".utf8), in: body[open...])
        else { return nil }
        // `<Key` is also how `<KeyCount` begins.
        let follows = body[start.upperBound]
        guard follows == UInt8(ascii: ">") || follows == UInt8(ascii: " ") else {
            return element(name, in: body[start.upperBound...])
        }
        return (body[(open + 1)..<close.lowerBound], close.upperBound)
    }

    private static func find(_ needle: [UInt8], in body: ArraySlice<UInt8>) -> Range<Int>? {
        var position = body.startIndex
        while position + needle.count <= body.endIndex {
            guard let first = body[position...].firstIndex(of: needle[0]), first + needle.count <= body.endIndex else {
                return nil
            }
            if body[first..<first + needle.count].elementsEqual(needle) { return first..<first + needle.count }
            position = first + 1
        }
        return nil
    }
}
