import CMicroHTTPD
import DaleksCore
import DaleksHTTP

/// A request's header as libmicrohttpd read it, checked once more: it is more tolerant than we want to be.
struct RequestReader {
    /// How the body comes.
    enum Framing: Equatable {
        case none
        case length(Int64)
        case chunked
    }

    let head: HTTPRequest.Head
    let framing: Framing
    /// The client waits for `100 Continue` before it sends the body.
    let expectsContinue: Bool

    /// Whether the body is small: then it is here whole before a worker is taken for it. Those who send theirs a byte
    /// at a time, and not even proved who they are, would otherwise hold all workers with a handful of connections. Who
    /// asks first whether to send is answered by a handler, as those with large bodies are: these have workers of
    /// their own. `limit` is the route's.
    func bringsLittle(_ limit: Int64) -> Bool {
        switch framing {
        case .none: true
        case .length(let length): !expectsContinue && length <= Limits.HTTPServer.collectedBodyBytesMax
        case .chunked: !expectsContinue && limit <= Limits.HTTPServer.collectedBodyBytesMax
        }
    }

    init(
        _ connection: OpaquePointer,
        method: UnsafePointer<CChar>,
        version: UnsafePointer<CChar>,
        rawTarget: String,
        record: ConnectionRecord,
        configuration: HTTPServerConfiguration
    ) throws(APIError) {
        guard rawTarget.utf8.count <= Limits.HTTPServer.targetBytesMax else {
            throw APIError(.uriTooLong, "the request target is too long")
        }
        guard Int(daleks_mhd_header_bytes(connection)) <= configuration.grants.headerBytesMax else {
            throw APIError(.headersTooLarge, "the request's header is too long")
        }
        let method = Self.method(method)
        guard method.isWellFormed else { throw .malformed("the method is no token") }
        // libmicrohttpd lets nothing pass but HTTP/1.x.
        let isVersion10 = strcmp(version, "HTTP/1.0") == 0
        let fields = try Self.fields(connection)
        framing = try Self.framing(fields, isVersion10: isVersion10)
        expectsContinue = try Self.expectsContinue(fields, isVersion10: isVersion10)
        let host = try Self.host(fields, isRequired: !isVersion10)
        let target = try RequestTarget(parsing: rawTarget)
        let isSecure = configuration.tls != nil
        let forwarded =
            record.isTrustedProxy ? ForwardedFields(fields, trusted: configuration.trustedProxies) : nil
        head = HTTPRequest.Head(
            method: method,
            target: target,
            rawTarget: rawTarget,
            fields: fields,
            client: forwarded?.client ?? record.client,
            scheme: forwarded?.scheme ?? (isSecure ? "https" : "http"),
            host: forwarded?.host ?? host,
            requestID: (forwarded?.requestID).map { .given($0) } ?? .next(),
            notesPrincipal: configuration.observe != nil
        )
    }

    private static func method(_ text: UnsafePointer<CChar>) -> HTTPMethod {
        if strcmp(text, "GET") == 0 { return .get }
        return HTTPMethod(rawValue: String(cString: text))
    }

    private static func fields(_ connection: OpaquePointer) throws(APIError) -> HTTPFields {
        var collected = FieldCollector()
        withUnsafeMutablePointer(to: &collected) { collected in
            _ = MHD_get_connection_values_n(connection, MHD_ValueKind.HEADER_KIND, Callbacks.field, collected)
        }
        guard collected.isValid else { throw .malformed("a header field is malformed") }
        return collected.fields
    }

    private static func framing(_ fields: HTTPFields, isVersion10: Bool) throws(APIError) -> Framing {
        let codings = fields.values("Transfer-Encoding")
        let lengths = fields.values("Content-Length")
        if codings.isEmpty {
            guard let text = lengths.first else { return .none }
            guard lengths.allSatisfy({ $0 == text }), let length = Int64(text), !text.hasPrefix("+"), length >= 0 else {
                throw .malformed("the Content-Length is malformed")
            }
            return length == 0 ? .none : .length(length)
        }
        // Two lengths, or a coding that an old proxy passes on unread, are how requests are smuggled.
        guard lengths.isEmpty, !isVersion10 else { throw .malformed("the body's length is given in two ways") }
        guard codings.count == 1, codings[0].lowercased() == "chunked" else {
            throw APIError(.notImplemented, "the transfer coding is not known here")
        }
        return .chunked
    }

    private static func expectsContinue(_ fields: HTTPFields, isVersion10: Bool) throws(APIError) -> Bool {
        guard let text = fields["Expect"], !isVersion10 else { return false }
        guard text.lowercased() == "100-continue" else {
            throw APIError(.expectationFailed, "the expectation is not known here")
        }
        return true
    }

    private static func host(_ fields: HTTPFields, isRequired: Bool) throws(APIError) -> String? {
        let hosts = fields.values("Host")
        guard hosts.count <= 1 else { throw .malformed("there is more than one Host") }
        guard let host = hosts.first else {
            guard !isRequired else { throw .malformed("the Host is missing") }
            return nil
        }
        guard HostField.isValid(host) else { throw .malformed("the Host is malformed") }
        return host
    }
}

/// Gathers fields one by one.
struct FieldCollector {
    var fields = HTTPFields()
    var isValid = true

    init() { fields.reserveCapacity(8) }

    mutating func append(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        var value = value
        while let last = value.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") {
            value = UnsafeBufferPointer(rebasing: value.dropLast())
        }
        // What is not UTF-8 (an old browser's Latin-1, say) is repaired to U+FFFD, which compares equal to nothing.
        let added = fields.append(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
        isValid = isValid && added
    }
}
