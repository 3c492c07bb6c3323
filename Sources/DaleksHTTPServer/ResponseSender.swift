import CMicroHTTPD
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Builds libmicrohttpd's form of an answer.
enum ResponseSender {
    /// For what says nothing of its own: whatever a browser takes it for, it loads nothing and stands in no frame.
    static let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    /// Where we speak TLS ourselves. A gateway that does says it for us.
    private static let transport = "max-age=31536000; includeSubDomains"

    /// Nil where there is no memory or no descriptor for it.
    static func make(_ response: HTTPResponse, for exchange: Exchange, _ connection: OpaquePointer) -> OpaquePointer? {
        guard let raw = body(response.body, for: exchange, connection) else { return nil }
        var hasPolicy = false
        for field in response.fields.all where isOurs(field.name) {
            add(field.name, field.value, to: raw)
            hasPolicy = hasPolicy || isPolicy(field.name)
        }
        if !hasPolicy { add("Content-Security-Policy", policy, to: raw) }
        if exchange.core.configuration.tls != nil { add("Strict-Transport-Security", transport, to: raw) }
        exchange.requestID.withCString { id in _ = MHD_add_response_header(raw, "X-Request-Id", id) }
        _ = MHD_add_response_header(raw, "X-Content-Type-Options", "nosniff")
        if exchange.core.isDraining { _ = MHD_add_response_header(raw, "Connection", "close") }
        return raw
    }

    private static func add(_ name: String, _ value: String, to raw: OpaquePointer) {
        _ = name.withCString { name in value.withCString { value in MHD_add_response_header(raw, name, value) } }
    }

    private static func isPolicy(_ name: String) -> Bool {
        name.utf8.count == 23 && name.lowercased() == "content-security-policy"
    }

    /// The message's frame is libmicrohttpd's business, and two fields are the server's own.
    private static func isOurs(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: name.lowercased() != "date"
        case 10: name.lowercased() != "connection"
        case 12: name.lowercased() != "x-request-id"
        case 14: name.lowercased() != "content-length"
        case 17: name.lowercased() != "transfer-encoding"
        case 22: name.lowercased() != "x-content-type-options"
        default: true
        }
    }

    private static func body(
        _ body: ResponseBody,
        for exchange: Exchange,
        _ connection: OpaquePointer
    ) -> OpaquePointer? {
        switch body {
        case .empty, .parked:
            return MHD_create_response_from_buffer(0, nil, MHD_ResponseMemoryMode.RESPMEM_PERSISTENT)
        case .bytes(let bytes):
            return bytes.withUnsafeBytes { buffer in
                // Copied, since an array's storage may be anywhere once this closure is over.
                MHD_create_response_from_buffer(
                    buffer.count,
                    UnsafeMutableRawPointer(mutating: buffer.baseAddress),
                    MHD_ResponseMemoryMode.RESPMEM_MUST_COPY
                )
            }
        case .file(let file, let range):
            return self.file(file, range)
        case .source(let source, let range):
            let pump = exchange.pump(reading: source, range)
            return stream(UInt64(range.upperBound - range.lowerBound), OutputSession(exchange, connection, pump))
        case .stream(let stream):
            let pump = exchange.pump(stream)
            return self.stream(UInt64.max, OutputSession(exchange, connection, pump))
        case .events(let start):
            let output = exchange.feed(start)
            return stream(UInt64.max, OutputSession(exchange, connection, output))
        }
    }

    private static func file(_ file: FileSource, _ range: Range<Int64>) -> OpaquePointer? {
        guard let descriptor = try? file.duplicate() else { return nil }
        let size = UInt64(range.upperBound - range.lowerBound)
        let raw = MHD_create_response_from_fd_at_offset64(size, descriptor, UInt64(range.lowerBound))
        // The response closes the descriptor, where there is one.
        if raw == nil { _ = FileDescriptor(owning: descriptor) }
        return raw
    }

    /// `size` is MHD_SIZE_UNKNOWN, all ones, where nobody knows it.
    private static func stream(_ size: UInt64, _ session: OutputSession) -> OpaquePointer? {
        // C holds the session's one reference until it frees the response.
        let context = Unmanaged.passRetained(session)
        let raw = MHD_create_response_from_callback(
            size,
            size == UInt64.max ? 64 << 10 : Int(min(max(size, 1), UInt64(Limits.HTTPServer.downloadBlockBytes))),
            Callbacks.fill,
            context.toOpaque(),
            Callbacks.freeFill
        )
        if raw == nil { context.release() }
        return raw
    }
}

/// What the callback that fetches an answer's bytes works with; the event thread's own.
final class OutputSession {
    private let exchange: Exchange
    private let connection: OpaquePointer
    private let pipe: OutputPipe
    private let pump: StreamPump?

    init(_ exchange: Exchange, _ connection: OpaquePointer, _ pump: StreamPump) {
        self.exchange = exchange
        self.connection = connection
        self.pump = pump
        pipe = pump.pipe
    }

    init(_ exchange: Exchange, _ connection: OpaquePointer, _ pipe: OutputPipe) {
        self.exchange = exchange
        self.connection = connection
        self.pipe = pipe
        pump = nil
    }

    /// As libmicrohttpd wants it: bytes, 0 and suspended, -1 at the end, -2 for a failure.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let taken = pipe.take(into: buffer)
            pump?.kick()
            switch taken {
            case .bytes(let count):
                exchange.count(count)
                return count
            case .end: return -1
            case .failed: return -2
            case .nothing:
                // Not suspended: something came meanwhile.
                if exchange.suspend(connection) { return 0 }
            }
        }
    }
}
