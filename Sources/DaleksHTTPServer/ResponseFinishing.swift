import DaleksCore
import DaleksHTTP
import DaleksSystem

extension Router {
    /// Compares the answer's validators with the request's conditions and cuts ranges (RFC 9110, 13 and 14).
    func finish(_ response: HTTPResponse, for request: HTTPRequest) -> HTTPResponse {
        guard response.status == .ok, request.method == .get || request.method == .head else { return response }
        guard let size = response.body.size else { return response }
        guard Conditional.stand(in: request.fields) else {
            guard response.acceptsRanges, response.fields["Accept-Ranges"] != "bytes" else { return response }
            return response.with("Accept-Ranges", "bytes")
        }
        let tag = response.fields["ETag"].flatMap { EntityTag(parsing: $0) }
        let modified = response.fields["Last-Modified"].flatMap { HTTPDate.parse($0) }
        switch Conditional.evaluate(request.method, request.fields, tag: tag, modified: modified) {
        case .proceed: break
        case .notModified: return notModified(response)
        case .preconditionFailed:
            return .problem(.preconditionFailed("the content is another by now"), requestID: request.requestID)
        }
        guard response.acceptsRanges else { return response }
        var whole = response
        whole.fields.set("Accept-Ranges", "bytes")
        guard request.method == .get, Conditional.allowsRange(request.fields, tag: tag, modified: modified) else {
            return whole
        }
        switch ByteRanges.evaluate(header: request.fields["Range"], size: size) {
        case .whole:
            return whole
        case .unsatisfiable:
            return .problem(.rangeNotSatisfiable(size: size), requestID: request.requestID)
        case .ranges(let ranges):
            return ranges.count == 1 ? part(of: whole, ranges[0], size) : parts(of: whole, ranges, size)
        }
    }

    /// 304 keeps what a cache updates its entry with.
    private func notModified(_ response: HTTPResponse) -> HTTPResponse {
        var answer = HTTPResponse(.notModified)
        for name in ["ETag", "Last-Modified", "Cache-Control", "Expires", "Vary", "Content-Location"] {
            for value in response.fields.values(name) { answer.fields.append(name, value) }
        }
        return answer
    }

    private func part(of whole: HTTPResponse, _ range: Range<Int64>, _ size: Int64) -> HTTPResponse {
        var answer = whole
        answer.status = .partialContent
        answer.fields.set("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)")
        answer.body = whole.body.slice(range)
        return answer
    }

    private func parts(of whole: HTTPResponse, _ ranges: [Range<Int64>], _ size: Int64) -> HTTPResponse {
        guard let source = whole.body.contentSource else { return whole }
        let boundary = Hex.encode(Random.bytes(count: 16))
        let contentType = whole.fields["Content-Type"] ?? "application/octet-stream"
        var pieces: [ContentSource.Piece] = []
        for (position, range) in ranges.enumerated() {
            let head = """
                \(position == 0 ? "" : "\r\n")--\(boundary)\r\nContent-Type: \(contentType)\r\n\
                Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)\r\n\r\n
                """
            pieces.append(.bytes(Array(head.utf8)))
            pieces.append(.slice(source, range))
        }
        pieces.append(.bytes(Array("\r\n--\(boundary)--\r\n".utf8)))
        var answer = whole
        answer.status = .partialContent
        answer.fields.set("Content-Type", "multipart/byteranges; boundary=\(boundary)")
        let joined = ContentSource(pieces: pieces)
        answer.body = .source(joined, 0..<joined.size)
        return answer
    }
}

extension ResponseBody {
    /// The same body, of which only `range` is sent; itself where it has no ranges.
    fileprivate func slice(_ range: Range<Int64>) -> ResponseBody {
        func moved(_ base: Range<Int64>) -> Range<Int64> {
            base.lowerBound + range.lowerBound..<base.lowerBound + range.upperBound
        }
        switch self {
        case .bytes(let bytes): return .bytes(Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
        case .file(let file, let base): return .file(file, moved(base))
        case .source(let source, let base): return .source(source, moved(base))
        case .empty, .stream, .parked, .events: return self
        }
    }

    /// A body of known size as something that is read from anywhere.
    var contentSource: ContentSource? {
        switch self {
        case .empty: return ContentSource(pieces: [])
        case .bytes(let bytes): return ContentSource(pieces: [.bytes(bytes)])
        case .file(let file, let range): return ContentSource(pieces: [.slice(ContentSource(file), range)])
        case .source(let source, let range): return ContentSource(pieces: [.slice(source, range)])
        case .stream, .parked, .events: return nil
        }
    }
}
