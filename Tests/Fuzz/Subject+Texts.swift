import DaleksCore
import DaleksHTTP
import DaleksJSON
import Glibc

@testable import DaleksCrypto
@testable import DaleksFiles
@testable import DaleksHTTPServer
@testable import DaleksSystem

/// What comes in a request's line, fields and body, in tokens, and in files that people write.
extension Subject {
    static let texts: [Subject] = [
        Subject(name: "json") { bytes in
            guard let value = try? JSONValue.parse(bytes) else { return }
            let again = try? JSONValue.parse(value.jsonBytes)
            require(again?.jsonBytes == value.jsonBytes, "a JSON value changes when it is written and read")
        },
        Subject(name: "token") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            let claims = try? JWT.verify(
                text,
                keys: { _, _ in FuzzKey.verification },
                type: "at+jwt",
                now: Timestamp(nanoseconds: 1_800_000_000_000_000_000),
                audience: "here",
                issuer: "there"
            )
            // Nobody has the key, so no text is a token.
            require(claims == nil, "a forged token was taken")
            _ = try? JWKSet(json: JSONValue.parse(bytes))
        },
        Subject(name: "target") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            if let target = try? RequestTarget(parsing: text) {
                for segment in target.segments {
                    require(segment != "." && segment != "..", "a path climbs")
                    require(!segment.utf8.contains(0), "a path has a NUL")
                }
            }
            _ = try? QueryItems(parsing: text)
            let encoded = PercentEncoding.encode(bytes: bytes)
            require(PercentEncoding.decodeToBytes(encoded.utf8) == bytes, "percent encoding loses bytes")
            if let name = try? Name(bytes) {
                require(!name.bytes.contains(UInt8(ascii: "/")) && !name.bytes.contains(0), "a name is a path")
            }
        },
        Subject(name: "ranges") { bytes in
            let size = Int64(bytes.prefix(2).reduce(0) { $0 << 8 | Int($1) })
            let text = String(decoding: bytes.dropFirst(2), as: UTF8.self)
            guard case .ranges(let ranges) = ByteRanges.evaluate(header: text, size: size) else { return }
            require((1...16).contains(ranges.count), "more ranges than are allowed")
            for range in ranges {
                require(range.lowerBound >= 0 && range.upperBound <= size && !range.isEmpty, "a range is outside")
            }
        },
        Subject(name: "fields") { bytes in
            var fields = HTTPFields()
            let names = [
                "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Content-Type",
                "Content-Disposition", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded",
            ]
            for (name, line) in zip(names, bytes.split(separator: 10, omittingEmptySubsequences: false)) {
                fields.set(name, String(decoding: line, as: UTF8.self))
            }
            let tag = EntityTag("\"tag\"")
            _ = Conditional.evaluate(.get, fields, tag: tag, modified: Timestamp(nanoseconds: 0))
            _ = Conditional.evaluate(.put, fields, tag: tag)
            _ = Conditional.allowsRange(fields, tag: tag)
            _ = fields["Content-Type"].flatMap { MediaType($0) }
            _ = ForwardedFields(fields, trusted: [CIDR("0.0.0.0/0"), CIDR("::/0")].compactMap(\.self))
            let text = String(decoding: bytes, as: UTF8.self)
            _ = CIDR(text)
            if let address = IPAddress(text) { require(IPAddress("\(address)") == address, "an address changes") }
            if let date = HTTPDate.parse(text) {
                // Years that a timestamp cannot tell are the last that it can, to the nanosecond.
                let again = HTTPDate.parse(HTTPDate.text(date))
                require(again?.seconds == date.seconds, "a date changes when it is written and read")
            }
        },
        Subject(name: "form") { bytes in
            // The same whether it comes at once or in pieces.
            let whole = formEvents(bytes, pieceBytes: max(bytes.count, 1))
            for pieceBytes in [1, 7] {
                let pieces = formEvents(bytes, pieceBytes: pieceBytes)
                require(pieces == whole, "a form means something else in pieces of \(pieceBytes) bytes")
            }
        },
        Subject(name: "upload") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            if let metadata = try? UploadMetadata(text) {
                for key in metadata.values.keys { require(!key.isEmpty && !key.contains(" "), "a key of metadata") }
            }
        },
        Subject(name: "settings") { bytes in
            guard let file = try? SettingsFile(path: "settings", bytes: bytes) else { return }
            for line in file.lines { require(!line.key.isEmpty && line.number > 0, "a setting without a name") }
        },
        Subject(name: "listing") { bytes in
            guard let listing = S3Listing(bytes) else { return }
            for object in listing.objects { require(object.bytes >= 0, "an object has fewer bytes than none") }
        },
    ]

    /// What a form's reader tells, with neighbouring bytes put together; ends with "refused" where it throws.
    private static func formEvents(_ bytes: [UInt8], pieceBytes: Int) -> [String] {
        guard var reader = MultipartReader(boundary: "b") else { return [] }
        var events: [String] = []
        var content: [UInt8] = []
        var position = 0
        do {
            while position < bytes.count {
                let piece = Array(bytes[position..<min(position + pieceBytes, bytes.count)])
                position += piece.count
                try piece.withUnsafeBytes { buffer in
                    try reader.read(buffer) { event in
                        switch event {
                        case .began(let part): events.append("\(part.name) \(String(describing: part.filename))")
                        case .bytes(let some): content += some
                        case .ended:
                            events.append("\(content)")
                            content = []
                        }
                    }
                }
            }
            try reader.finish()
        } catch {
            // How much of a part was told before the refusal is not promised.
            events.append("refused")
        }
        return events
    }
}

private enum FuzzKey {
    static let verification = (try? SigningKey.generate(.es256))?.publicKey
}
